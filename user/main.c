// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/out.h"
#include "cmd/verbs.h"

struct verb {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *summary;
	const char *help;
};

static const struct verb verbs[] = {
	{ "init", verb_init, "make a configuration from what Cloudflare gave you",
	  "cnictl init [FILE|-]... --dev DEVICE [--vlan ID] [--dataplane V]\n"
	  "            [--lan DEVICE]... [--dsr DEVICE]... [--local-as N]\n"
	  "            [--tunnel NAME,LOCAL,REMOTE[,INSIDE]... | --tunnel NAME]...\n"
	  "            [--announce PREFIX]... [--cni ID]\n"
	  "            [--endpoint ADDR] [--interface-address {cloudflare|ours}]\n"
	  "            [--name TITLE] [-o FILE]\n\n"
	  "Reads the mail with the set of IPs, and the JSON that Cloudflare's API\n"
	  "returns for cni/cnis, magic/gre_tunnels or magic/cf_interconnects, from\n"
	  "FILEs or the standard input; says which address is whose; and writes a\n"
	  "configuration file.\n\n"
	  "  --dev DEVICE     the port to Cloudflare, such as eth0\n"
	  "  --vlan ID        the VLAN that Cloudflare or the carrier gave you; the\n"
	  "                   default: the mail's\n"
	  "  --dataplane V    v1 (default), v1.1, or v2: no VLAN, no GRE\n"
	  "  --lan DEVICE     a device of your network to accelerate\n"
	  "  --dsr DEVICE     the device by which answers leave, if not by the tunnel\n"
	  "  --local-as N     your AS number\n"
	  "  --tunnel NAME,LOCAL,REMOTE[,INSIDE]...\n"
	  "                   a GRE tunnel: your endpoint, Cloudflare's, and your\n"
	  "                   addresses inside, with their lengths\n"
	  "  --tunnel NAME    of the tunnels in the JSON, this one\n"
	  "  --announce PREFIX\n"
	  "                   what is yours, for BGP; may be repeated\n"
	  "  --cni ID         of several links, this one: by the id or name in the JSON,\n"
	  "                   or one of its addresses\n"
	  "  --endpoint ADDR  your GRE endpoint, where the JSON has none\n"
	  "  --interface-address {cloudflare|ours}\n"
	  "                   whose that is in the JSON; default: Cloudflare's\n"
	  "  --name TITLE     the link's title\n"
	  "  -o FILE          write to FILE, which must not exist yet\n" },
	{ "up", verb_up, "bring the link of a configuration up",
	  "cnictl up CONFIG [--dry-run] [--no-offload|--require-offload]\n\n"
	  "Makes the devices and addresses, loads the module and tells it of them.\n"
	  "What is right already stays as it is; after a failure, or Ctrl-C, all\n"
	  "that was done is undone. To change a link that is up: cnictl reload.\n"
	  "Without the module the link goes by the kernel's own path.\n\n"
	  "  --dry-run          only say what would be done\n"
	  "  --no-offload       leave the module out\n"
	  "  --require-offload  fail where the module can't be had\n" },
	{ "down", verb_down, "take it down again",
	  "cnictl down CONFIG [--dry-run]\n\n"
	  "Removes from the module and from the kernel what up made.\n" },
	{ "reload", verb_reload, "make a link that is up as its changed file says",
	  "cnictl reload CONFIG [--dry-run] [--no-offload|--require-offload]\n\n"
	  "Changes what differs between the file and what is up, and removes what is\n"
	  "no longer in the file. The rest goes on without losing a packet. After a\n"
	  "failure, or Ctrl-C, all is as it was.\n" },
	{ "save", verb_save, "write what is up as a configuration",
	  "cnictl save [LINK] [-o FILE]\n\n"
	  "Writes the configuration that up would find nothing to do with, of the\n"
	  "link whose device or title is LINK, or of the only one. Exits with 1 when\n"
	  "something can't be said in a configuration.\n\n"
	  "  -o FILE          write to FILE, which must not exist yet\n" },
	{ "show", verb_show, "what is there, whether it is offloaded, counters",
	  "cnictl show [-br|--dump] [link|tunnel|port|route|status]\n\n"
	  "  -br, --brief     a line each\n"
	  "  --dump           a line each, in fields between tabs\n" },
	{ "link", verb_link, "the module's links, one by one",
	  "cnictl link show [DEVICE]\n"
	  "cnictl link {add|set} DEVICE [local4 ADDR peer4 ADDR]\n"
	  "                             [local6 ADDR peer6 ADDR]\n"
	  "cnictl link del DEVICE\n" },
	{ "tunnel", verb_tunnel, "the module's tunnels",
	  "cnictl tunnel show [DEVICE]\n"
	  "cnictl tunnel {add|set} DEVICE [bypass-netfilter {on|off}]\n"
	  "              [mss auto|off|BYTES] [health off]\n"
	  "              [health {reply|request} {bidirectional|unidirectional}\n"
	  "                      LOCAL PEER]... [health-rate N]\n"
	  "cnictl tunnel del DEVICE\n\n"
	  "With bypass-netfilter the firewall no longer sees the GRE packets between\n"
	  "the tunnel's two ends, only those inside: whoever can send to the link from\n"
	  "the remote address gets into the tunnel.\n" },
	{ "port", verb_port, "the module's LAN ports",
	  "cnictl port show [DEVICE]\n"
	  "cnictl port {add|set} DEVICE [bypass-netfilter {on|off}]\n"
	  "              [strict-source {on|off}] [mss auto|off|BYTES]\n"
	  "cnictl port del DEVICE\n" },
	{ "route", verb_route, "routes, by hand",
	  "cnictl route {add|replace} PREFIX [via ADDR] dev DEVICE\n"
	  "cnictl route {add|replace} PREFIX {nexthop [via ADDR] dev DEVICE\n"
	  "                                   [weight N]}...\n"
	  "cnictl route del PREFIX\n"
	  "cnictl route load {FILE|-}\n"
	  "cnictl route flush\n"
	  "cnictl route get ADDR [from ADDR]\n"
	  "cnictl route show\n\n"
	  "add, replace, del, load and flush change the kernel's main table, with\n"
	  "routing protocol number 199, and then the module's. load reads one\n"
	  "\"PREFIX [via ADDR] dev DEVICE\" per line. get tells what would happen\n"
	  "to a packet. With --no-offload only the kernel's table is changed.\n" },
	{ "sync", verb_sync, "keep the module's routes as the kernel's are",
	  "cnictl sync [CONFIG] [--table TABLE]... [--once] [--foreground]\n\n"
	  "Stays in the foreground until SIGTERM; the module keeps its routes then.\n\n"
	  "  --table TABLE    a routing table to mirror (main)\n"
	  "  --once           mirror once, and end\n" },
	{ "bgp-config", verb_bgp_config, "a BGP daemon's configuration for it",
	  "cnictl bgp-config {bird|frr} CONFIG [OPTION]...\n\n"
	  "Prints the configuration of BIRD 2 or FRR for the sessions with\n"
	  "Cloudflare. The options go before what CONFIG says.\n\n"
	  "  --profile peering|magic\n"
	  "                   the Internet's table, or that of Magic\n"
	  "  --over link|tunnels|both\n"
	  "                   where the sessions are\n"
	  "  --local-as N     your AS number\n"
	  "  --peer-as N      Cloudflare's, default: 13335\n"
	  "  --announce PREFIX\n"
	  "                   what is yours; may be repeated\n"
	  "  --extra PREFIX   to be accepted beside what is usual; may be repeated\n"
	  "  --priority N     of what you announce, in Magic's table\n"
	  "  --password-file FILE\n"
	  "                   a file whose first line is the MD5 password\n"
	  "  --router-id A.B.C.D\n"
	  "                   instead of the link's local4\n"
	  "  --table TABLE    the kernel's table for what is accepted\n"
	  "  --bfd            with BFD, which Cloudflare has to agree to\n"
	  "  --snippet        what a configuration of your own can include, instead of\n"
	  "                   a whole one\n" },
	{ "xdp", verb_xdp, "take packets before the kernel makes an skb of them",
	  "cnictl xdp {attach|detach|status} [DEVICE]...\n\n"
	  "attach puts an XDP program on the devices that the module takes frames\n"
	  "from, or on those named: the ports, and the devices under the links. It\n"
	  "stays there until detach. Natively, or not at all; what it can't take\n"
	  "goes on as without it. status tells what it took, and why not the rest.\n" },
	{ "ping", verb_ping, "ping Cloudflare's side of the link",
	  "cnictl ping [CONFIG] [-c COUNT] [-i SECONDS] [-s SIZE] [--df] [-4|-6]\n\n"
	  "  -c COUNT         how many, default: 5\n"
	  "  -i SECONDS       between two, default: 0.2\n"
	  "  -s, --size SIZE  whole IP packets of SIZE bytes\n"
	  "  --df             not to be fragmented\n" },
	{ "check", verb_check, "is it fit to go live, and if not, why not",
	  "cnictl check CONFIG [--wait [SECONDS] | --watch] [--interval SECONDS]\n"
	  "             [--bird SOCKET] [--frr INSTANCE]\n\n"
	  "Goes through the list from the cable to traffic both ways, and names what\n"
	  "is wrong and what to do about it.\n\n"
	  "  --wait [SECONDS]    until nothing fails, default: for 600 seconds\n"
	  "  --watch             again and again\n"
	  "  --interval SECONDS  over which traffic is sampled, default: 3\n"
	  "  --bird SOCKET       BIRD's control socket, where it isn't the usual one\n"
	  "  --frr INSTANCE      FRR's instance, as for vtysh -N\n" },
	{ "top", verb_top, "live rates of every link, tunnel and port",
	  "cnictl top [-d SECONDS] [-n COUNT]\n\n"
	  "  -d SECONDS       between two, default: 1\n"
	  "  -n COUNT         how many, default: no end\n" },
	{ "metrics", verb_metrics, "all counters and states, as OpenMetrics text",
	  "cnictl metrics\n" },
	{ "support-bundle", verb_support_bundle, "one archive for a support engineer",
	  "cnictl support-bundle CONFIG [-o FILE] [--bird SOCKET] [--frr INSTANCE]\n\n"
	  "Passwords are left out.\n\n"
	  "  -o FILE             write to FILE, which must not exist yet\n"
	  "  --bird SOCKET       BIRD's control socket, where it isn't the usual one\n"
	  "  --frr INSTANCE      FRR's instance, as for vtysh -N\n" },
	{ "monitor", verb_monitor, "print changes as they happen",
	  "cnictl monitor\n" },
	{ "version", verb_version, "versions of cnictl and the module",
	  "cnictl version\n" },
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void print_help(FILE *f)
{
	unsigned int i;

	fputs("cnictl: Cloudflare Network Interconnect on Linux, offloaded\n\n"
	      "usage: cnictl [-j] VERB [ARGUMENTS]\n\n", f);
	for (i = 0; i < N_VERBS; i++)
		fprintf(f, "  %-14s  %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n  -j, --json   answer in JSON\n"
	      "  -h, --help   this, or with a verb that verb's help\n\n"
	      "Exit status: 0 done, 1 failed, 2 wrong use. See cnictl(8).\n", f);
}

static const struct verb *find_verb(const char *name)
{
	unsigned int i;

	for (i = 0; i < N_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct verb *v;
	bool help = false;
	int i, n = 1;

	/* Verbs say it themselves: usage_option(). */
	opterr = 0;

	/* -j and -h may stand anywhere. */
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--"))
			break;
		if (!strcmp(argv[i], "-j") || !strcmp(argv[i], "--json"))
			out_json = true;
		else if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help"))
			help = true;
		else
			argv[n++] = argv[i];
	}
	for (; i < argc; i++)
		argv[n++] = argv[i];
	argv[n] = NULL;
	argc = n;

	if (argc > 1 && !strcmp(argv[1], "help")) {
		help = true;
		argv++;
		argc--;
	}
	if (argc > 1 && (!strcmp(argv[1], "-V") ||
			 !strcmp(argv[1], "--version")))
		argv[1] = "version";
	if (argc < 2 && out_json && !help) {
		err("a verb is missing; see cnictl --help");
		return out_end(RC_USAGE);
	}
	if (argc < 2) {
		print_help(help ? stdout : stderr);
		return help ? RC_OK : RC_USAGE;
	}
	v = find_verb(argv[1]);
	if (!v) {
		err("there is no verb '%s'; see cnictl --help", argv[1]);
		return out_end(RC_USAGE);
	}
	if (help) {
		printf("usage: %s", v->help);
		return RC_OK;
	}
	i = out_end(v->fn(argc - 1, argv + 1));
	if (fflush(stdout) || ferror(stdout)) {
		err("can't write the answer: %s", strerror(errno));
		return RC_FAILED;
	}
	return i;
}
