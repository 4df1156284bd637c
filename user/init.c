// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cnictl.h"
#include "config.h"
#include "mail.h"
#include "out.h"

#define MAX_LIST 64

struct init {
	const char *dev, *out, *name;
	unsigned int vlan;
	unsigned long local_as;
	const char *lans[MAX_LIST];
	unsigned int n_lans;
	struct {
		char name[16];
		struct addr local, remote;
	} tunnels[MAX_LIST];
	unsigned int n_tunnels;
};

static int take_tunnel(struct init *in, const char *arg)
{
	char buf[128], *name, *local, *remote, *save;
	const char *bad;
	unsigned int n = in->n_tunnels;

	if (n == MAX_LIST)
		return usage("init", "more than %d tunnels", MAX_LIST);
	snprintf(buf, sizeof(buf), "%s", arg);
	name = strtok_r(buf, ",", &save);
	local = strtok_r(NULL, ",", &save);
	remote = strtok_r(NULL, ",", &save);
	if (!remote || strtok_r(NULL, ",", &save))
		return usage("init", "--tunnel '%s' isn't NAME,LOCAL,REMOTE",
			     arg);
	bad = ifname_problem(name);
	if (bad)
		return usage("init", "tunnel name '%s' %s", name, bad);
	if (addr_parse(local, &in->tunnels[n].local))
		return usage("init", "tunnel endpoint '%s' isn't an address",
			     local);
	if (addr_parse(remote, &in->tunnels[n].remote))
		return usage("init", "tunnel endpoint '%s' isn't an address",
			     remote);
	if (in->tunnels[n].local.family != in->tunnels[n].remote.family)
		return usage("init", "tunnel endpoints '%s' and '%s' aren't of one family",
			     local, remote);
	strcpy(in->tunnels[n].name, name);
	in->n_tunnels++;
	return RC_OK;
}

static int take_number(const char *what, const char *arg, unsigned long max,
		       unsigned long *n)
{
	char *end;

	errno = 0;
	*n = strtoul(arg, &end, 10);
	if (errno || *end || end == arg || *arg == '-' || !*n || *n > max)
		return usage("init", "%s '%s' isn't a number from 1 to %lu",
			     what, arg, max);
	return RC_OK;
}

static int take_options(struct init *in, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "dev", required_argument, NULL, 'd' },
		{ "vlan", required_argument, NULL, 'v' },
		{ "lan", required_argument, NULL, 'l' },
		{ "local-as", required_argument, NULL, 'a' },
		{ "tunnel", required_argument, NULL, 't' },
		{ "output", required_argument, NULL, 'o' },
		{}
	};
	unsigned long n;
	const char *bad;
	int o, rc;

	while ((o = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		switch (o) {
		case 'd':
			in->dev = optarg;
			bad = ifname_problem(optarg);
			if (bad)
				return usage("init", "device '%s' %s", optarg,
					     bad);
			break;
		case 'v':
			rc = take_number("VLAN", optarg, 4094, &n);
			if (rc)
				return rc;
			in->vlan = n;
			break;
		case 'l':
			bad = ifname_problem(optarg);
			if (bad)
				return usage("init", "device '%s' %s", optarg,
					     bad);
			if (in->n_lans == MAX_LIST)
				return usage("init", "more than %d LAN devices",
					     MAX_LIST);
			in->lans[in->n_lans++] = optarg;
			break;
		case 'a':
			rc = take_number("AS number", optarg, UINT32_MAX, &n);
			if (rc)
				return rc;
			in->local_as = n;
			break;
		case 't':
			rc = take_tunnel(in, optarg);
			if (rc)
				return rc;
			break;
		case 'o':
			in->out = optarg;
			break;
		default:
			return usage("init", "see above");
		}
	}
	if (optind + 1 < argc)
		return usage("init", "one mail at a time");
	in->name = optind < argc ? argv[optind] : "-";
	if (!in->dev)
		return usage("init", "--dev is missing: the port to Cloudflare");
	return RC_OK;
}

static void write_config(FILE *f, const struct init *in, const struct mail *m)
{
	unsigned int i;

	fprintf(f, "# Cloudflare Network Interconnect, for cnictl. See cnictl.conf(5).\n\n");
	fprintf(f, "link cloudflare {\n");
	fprintf(f, "\tdevice = %s\n", in->dev);
	if (in->vlan)
		fprintf(f, "\tvlan = %u\n", in->vlan);
	fprintf(f, "\n\t# Ours (%s in the mail), and Cloudflare's.\n",
		m->customer);
	fprintf(f, "\tlocal4 = %s\n", addr_prefix_str(&m->ours4));
	fprintf(f, "\tpeer4 = %s\n", addr_str(&m->cloudflare4));
	if (m->ours6.family) {
		fprintf(f, "\tlocal6 = %s\n", addr_prefix_str(&m->ours6));
		fprintf(f, "\tpeer6 = %s\n", addr_str(&m->cloudflare6));
	}
	if (in->local_as)
		fprintf(f, "\n\tlocal-as = %lu\n", in->local_as);
	fprintf(f, "}\n");
	for (i = 0; i < in->n_tunnels; i++) {
		fprintf(f, "\ntunnel %s {\n", in->tunnels[i].name);
		fprintf(f, "\tlocal = %s\n", addr_str(&in->tunnels[i].local));
		fprintf(f, "\tremote = %s\n",
			addr_str(&in->tunnels[i].remote));
		fprintf(f, "\tttl = 64\n\tmss = auto\n}\n");
	}
	for (i = 0; i < in->n_lans; i++)
		fprintf(f, "\nport %s {\n\tbypass-netfilter = false\n}\n",
			in->lans[i]);
}

static json_t *side_json(const struct addr *a4, const struct addr *a6)
{
	json_t *o = json_object();

	json_object_set_new(o, "v4", json_string(addr_prefix_str(a4)));
	if (a6->family)
		json_object_set_new(o, "v6", json_string(addr_prefix_str(a6)));
	return o;
}

/* Whose is whose is the one thing that must not be taken the wrong way. */
static void tell(const struct mail *m, const char *out)
{
	json_t *root;

	if (out_json && out) {
		root = json_object();
		json_object_set_new(root, "customer",
				    json_string(m->customer));
		json_object_set_new(root, "ours",
				    side_json(&m->ours4, &m->ours6));
		json_object_set_new(root, "cloudflare",
				    side_json(&m->cloudflare4,
					      &m->cloudflare6));
		json_object_set_new(root, "file", json_string(out));
		out_print(root);
		return;
	}
	fprintf(stderr, "ours (%s):  %s", m->customer,
		addr_prefix_str(&m->ours4));
	if (m->ours6.family)
		fprintf(stderr, "  %s", addr_prefix_str(&m->ours6));
	fprintf(stderr, "\nCloudflare's:  %s",
		addr_prefix_str(&m->cloudflare4));
	if (m->ours6.family)
		fprintf(stderr, "  %s", addr_prefix_str(&m->cloudflare6));
	fprintf(stderr, "\n");
	if (out)
		fprintf(stderr, "written to %s: next, cnictl up %s\n", out, out);
}

static int write_out(const struct init *in, const struct mail *m)
{
	FILE *f = stdout;
	struct config *c;
	int fd;

	if (in->out) {
		/* BGP passwords will be in there one day. */
		fd = open(in->out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			  0600);
		f = fd < 0 ? NULL : fdopen(fd, "w");
		if (!f) {
			err("can't make %s: %s", in->out, strerror(errno));
			if (errno == EEXIST)
				hint("move it away first, or give -o another name");
			return RC_FAILED;
		}
	}
	write_config(f, in, m);
	if (!in->out)
		return RC_OK;
	if (fclose(f)) {
		err("can't write %s: %s", in->out, strerror(errno));
		unlink(in->out);
		return RC_FAILED;
	}
	/* The options' sense, such as names that get too long. */
	c = config_read(in->out);
	if (!c) {
		unlink(in->out);
		return RC_USAGE;
	}
	config_free(c);
	return RC_OK;
}

int verb_init(int argc, char **argv)
{
	struct init in = {};
	const char *name;
	struct mail m;
	char why[512];
	FILE *f = stdin;
	int rc;

	rc = take_options(&in, argc, argv);
	if (rc)
		return rc;
	name = in.name;
	if (!strcmp(name, "-")) {
		name = "standard input";
		if (isatty(0))
			fprintf(stderr, "Paste the mail, then press Ctrl-D.\n");
	} else {
		f = fopen(name, "re");
		if (!f) {
			err("can't read %s: %s", name, strerror(errno));
			return RC_FAILED;
		}
	}
	rc = mail_parse(f, name, &m, why, sizeof(why));
	if (f != stdin)
		fclose(f);
	if (rc) {
		fprintf(stderr, "%s\n", why);
		return RC_USAGE;
	}
	rc = write_out(&in, &m);
	if (!rc)
		tell(&m, in.out);
	return rc;
}
