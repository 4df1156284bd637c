// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <linux/cnilink.h>

#include "base/out.h"
#include "module/names.h"

static const struct name *find(const struct name *names, unsigned int n,
			       uint64_t value)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (names[i].value == value)
			return &names[i];
	return NULL;
}

static const char *number(uint64_t value)
{
	static char buf[32];

	snprintf(buf, sizeof(buf), "%" PRIu64, value);
	return buf;
}

const char *names_reason(uint32_t reason)
{
	const struct name *n = find(reason_names, n_reason_names, reason);

	return n ? n->name : number(reason);
}

const char *names_reason_doc(uint32_t reason)
{
	const struct name *n = find(reason_names, n_reason_names, reason);

	return n ? n->doc : "A reason that this cnictl is too old to know.";
}

const char *names_reason_advice(uint32_t reason, const char *dev)
{
	static char buf[160];

	if (reason != CNILINK_REASON_NOT_OFFLOADED)
		return names_reason_doc(reason);
	if (dev)
		snprintf(buf, sizeof(buf), "%s, the egress device, isn't offloaded: cnictl show says why.",
			 dev);
	else
		strcpy(buf, "The egress device isn't offloaded: cnictl show says of each device why not.");
	return buf;
}

const char *names_outer_advice(uint32_t reason)
{
	if (reason != CNILINK_REASON_NETFILTER)
		return names_reason_advice(reason, NULL);
	return "Chains of the outer IP version, or connection tracking, would have seen the GRE packets: bypass-netfilter of the tunnel is for when they needn't.";
}

const char *names_command(uint8_t cmd)
{
	const struct name *n = find(command_names, n_command_names, cmd);

	return n ? n->name : number(cmd);
}

static const struct {
	uint64_t bit;
	const char *text;
} advice[] = {
	{ CNILINK_BLOCKER_DEVICE_DOWN,
	  "%s or the device under it is down: check the cable and \"ip link set %s up\"" },
	{ CNILINK_BLOCKER_RX_HANDLER,
	  "%s is in a bridge or bond, or carries a macvlan, which owns its frames: take it out, or use the bridge or bond itself" },
	{ CNILINK_BLOCKER_GRE_SEQ,
	  "%s uses GRE sequence numbers, which Cloudflare doesn't: make the tunnel without \"seq\"" },
	{ CNILINK_BLOCKER_GRE_EXTERNAL,
	  "%s is an \"external\" tunnel: make it with fixed local and remote addresses" },
	{ CNILINK_BLOCKER_GRE_ENCAP,
	  "%s is wrapped in FOU or GUE: make the tunnel without \"encap\"" },
	{ CNILINK_BLOCKER_GRE_ENDPOINT,
	  "%s has no fixed local or remote address: set both" },
	{ CNILINK_BLOCKER_LOCAL_MISSING,
	  "the local address of %s isn't on this host: add it (\"ip address add ADDR/32 dev lo\")" },
	{ CNILINK_BLOCKER_NO_ROUTE,
	  "there is no route to the remote end of %s: add one over the link" },
	{ CNILINK_BLOCKER_ROUTE_ELSEWHERE,
	  "the remote end of %s isn't reached over the link: add a host route to it by way of Cloudflare's address" },
	{ CNILINK_BLOCKER_NEIGHBOUR,
	  "the MAC address of the next hop of %s isn't known: see whether Cloudflare's side answers (cnictl ping) and whether the VLAN is right" },
	{ CNILINK_BLOCKER_FORWARDING_OFF,
	  "forwarding is off for %s: sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1" },
	{ CNILINK_BLOCKER_NETFILTER,
	  "the firewall, or another netfilter hook that \"cnictl show status\" names, looks at packets from %s, so the kernel forwards them: what it drops it has to accept first. Out of and into tunnels the module still takes them, but where chains see the outer packets, too: bypass-netfilter of the tunnel. Only where it needn't see this traffic, set bypass-netfilter on the port, which steps over all of it, its default-deny too" },
	{ CNILINK_BLOCKER_RULES,
	  "policy routing rules would be bypassed: of those in \"ip rule\", only \"from PREFIX lookup TABLE\" can be followed; remove others that forwarded traffic doesn't need" },
	{ CNILINK_BLOCKER_NO_RULE,
	  "no policy routing rule leads to a table that the module has, as after a network manager took the kernel's own rules away: \"ip rule add pref 32766 lookup main\" (or \"ip -6 rule ...\"); a table of yours has to be in the configuration's \"table\"" },
	{ CNILINK_BLOCKER_XFRM,
	  "IPsec policies would be bypassed: see \"ip xfrm policy\"" },
	{ CNILINK_BLOCKER_QDISC,
	  "a qdisc on %s or the device under it would be bypassed: see \"tc qdisc show\" and set it to noqueue or the default" },
	{ CNILINK_BLOCKER_TC,
	  "a tc filter on %s or the device under it would be bypassed: see \"tc filter show\"" },
	{ CNILINK_BLOCKER_NFT_DEVICE,
	  "a netdev nft chain on %s or the device under it would be bypassed: see \"nft list ruleset\"" },
	{ CNILINK_BLOCKER_XDP,
	  "a generic XDP program on %s would be bypassed: \"ip link set %s xdpgeneric off\"" },
	{ CNILINK_BLOCKER_TAP,
	  "a packet capture (tcpdump) or another socket that gets packets of %s is open (\"ss -0 -p\" and \"ss -w -p\" list them): the traffic takes the kernel's path until it is closed, so that it gets all" },
	{ CNILINK_BLOCKER_VLAN_FLAGS,
	  "%s has reorder_hdr off: \"ip link set %s type vlan reorder_hdr on\"" },
	{ CNILINK_BLOCKER_NOT_ENROLLED,
	  "the egress device is no link, tunnel or port of the module: add it (cnictl port add)" },
	{ CNILINK_BLOCKER_NOT_ETHERNET,
	  "%s isn't, or isn't on, an Ethernet device" },
	{ CNILINK_BLOCKER_MULTIPATH,
	  "the route has several next hops, of which the module can't tell which one the kernel would take: all must be links, tunnels or ports of the module, and net.ipv4.fib_multipath_hash_policy and net.ipv6.fib_multipath_hash_policy 0 or 1" },
	{ CNILINK_BLOCKER_XDP_OFFLOADS,
	  "XDP doesn't see whole frames on %s: VLAN tags are kept apart from them (\"ethtool -K %s rxvlan off rx-vlan-stag-hw-parse off\"), or, if it is a veth, tags or checksums are left out by its peer (on that: \"ethtool -K PEER tx off txvlan off tx-vlan-stag-hw-insert off\")" },
	{ CNILINK_BLOCKER_XDP_TARGET,
	  "XDP can't send to %s: its driver has no such function, or, if it is a veth, its peer neither has GRO on nor XDP (on that: \"ethtool -K PEER gro on\")" },
	{ CNILINK_BLOCKER_GRE_TWIN,
	  "the kernel gives what arrives for %s to another gre device that fits, too, such as one bound to the link: see \"ip -d link show type gre\" (or ip6gre), and remove that or give it a key" },
	{ CNILINK_BLOCKER_XDP_DRIVER,
	  "XDP can't take the frames of %s: a tap's and Xen's are handed to it before their checksums are made, and a bond's as those of its members; the skb path takes them" },
};

const char *names_blocker_advice(uint64_t bit, const char *dev)
{
	const char *s = "%s: a cause that this cnictl is too old to know";
	static char buf[512];
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		if (advice[i].bit == bit)
			s = advice[i].text;
	for (; *s && used + 1 < sizeof(buf); s++) {
		if (s[0] == '%' && s[1] == 's') {
			used += snprintf(buf + used, sizeof(buf) - used, "%s",
					 dev);
			s++;
			continue;
		}
		buf[used++] = *s;
	}
	buf[used < sizeof(buf) ? used : sizeof(buf) - 1] = '\0';
	return buf;
}

const char *names_flag_parse(const struct name *names, unsigned int n,
			     uint32_t *flags, const char *name,
			     const char *value)
{
	static char problem[128];
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!strcmp(names[i].name, name))
			break;
	if (i == n) {
		snprintf(problem, sizeof(problem), "there is no '%.60s' to set",
			 name);
		return problem;
	}
	if (!value || (strcmp(value, "on") && strcmp(value, "off"))) {
		snprintf(problem, sizeof(problem), "%s is on or off", name);
		return problem;
	}
	*flags &= ~names[i].value;
	if (!strcmp(value, "on"))
		*flags |= names[i].value;
	return NULL;
}

json_t *names_flags_json(const struct name *names, unsigned int n,
			 uint32_t flags)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < n; i++)
		if (flags & names[i].value)
			json_array_append_new(list, json_string(names[i].name));
	return list;
}

const char *names_xdp(int state)
{
	const struct name *n = find(xdp_names, n_xdp_names, state);

	return n ? n->name : "unknown";
}

const char *names_xdp_advice(int state)
{
	switch (state) {
	case CNILINK_XDP_AVAILABLE:
		return "available";
	case CNILINK_XDP_NO_KERNEL_SUPPORT:
		return "not available: the kernel takes no type information of modules (CONFIG_DEBUG_INFO_BTF_MODULES is off): another kernel is needed, as Debian's";
	case CNILINK_XDP_NO_BTF:
		return "not available: the module was built without its type information (BTF): build it again, and see what the build says is missing";
	case CNILINK_XDP_NO_IDS:
		return "not available: the module was built without the IDs of its functions: build it again, and see what the build says is missing";
	case CNILINK_XDP_FOREIGN_BTF:
		return "not available: the module's type information (BTF) was made for another kernel than the one that runs: build the module for this one (\"make clean\", \"make\")";
	case CNILINK_XDP_REFUSED:
		return "not available: the kernel refused to register the module's functions: see \"dmesg\" for the error";
	}
	return "not known: cnictl and the module are of different versions";
}

json_t *names_blockers_json(uint64_t blockers)
{
	json_t *list = json_array();
	const struct name *n;
	uint64_t bit;

	for (bit = 1; bit; bit <<= 1) {
		if (!(blockers & bit))
			continue;
		n = find(blocker_names, n_blocker_names, bit);
		json_array_append_new(list,
				      json_string(n ? n->name : number(bit)));
	}
	return list;
}

const char *names_blockers(uint64_t blockers)
{
	static char buf[1024];
	const struct name *n;
	size_t used = 0;
	uint64_t bit;

	buf[0] = '\0';
	for (bit = 1; bit && used < sizeof(buf); bit <<= 1) {
		if (!(blockers & bit))
			continue;
		n = find(blocker_names, n_blocker_names, bit);
		used += snprintf(buf + used, sizeof(buf) - used, "%s%s",
				 used ? ", " : "", n ? n->name : number(bit));
	}
	return buf;
}
