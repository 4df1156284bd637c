// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that have no skb yet: what an XDP program is to do with them. The
 * decision is that of the skb path, made by the same functions; here are the
 * conditions that XDP adds, the headers, and the counters.
 */

#include "path/frame.h"

#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/percpu.h>
#include <net/route.h>
#include <net/xdp.h>
#include <uapi/linux/cnilink_xdp.h>

#include "base/xmit.h"
#include "compat/compat.h"
#include "path/burst.h"
#include "path/decide.h"
#include "path/forward.h"
#include "path/health.h"
#include "path/hook.h"
#include "path/source.h"

/**
 * struct frame - a frame, and what's found on the way to a decision
 * @fwd: the decision
 * @view: what the functions that decide see of it
 * @l2_len: bytes before its network header
 * @link: link that it came in by, or NULL
 * @port: port that it came in by, if it's no link's
 * @health: it's a health check of this tunnel's, to be answered
 * @request: the answer to it has to be made; else it goes back as it is
 */
struct frame {
	struct cni_forward	fwd;
	struct cni_packet_frame	view;
	unsigned int		l2_len;
	struct cni_link		*link;
	struct cni_port		*port;
	struct cni_health	*health;
	bool			request;
};

/*
 * Offloads that keep a part of the frame elsewhere. What a veth receives is
 * what its peer was left to send.
 */
static struct net_device *watched_dev(struct net_device *dev,
				      netdev_features_t *blind)
{
	struct net_device *peer = NULL;

	if (dev->netdev_ops->ndo_get_peer_dev)
		peer = dev->netdev_ops->ndo_get_peer_dev(dev);
	*blind = peer ? NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_STAG_TX |
			NETIF_F_CSUM_MASK | NETIF_F_SCTP_CRC :
			NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_STAG_RX;
	return peer ?: dev;
}

/*
 * Drivers that hand XDP frames as another guest left them, whose checksums are
 * still to be made, or which are to be cut: tun and tap, as who holds the other
 * end likes, and Xen's. A bond's XDP sees its members' frames, not its own.
 */
static bool is_unfit(const struct net_device *dev)
{
	const struct device *parent = dev->dev.parent;

	if (netif_is_bond_master(dev) ||
	    (dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, "tun")))
		return true;
	return parent && parent->bus && !strcmp(parent->bus->name, "xen") &&
	       parent->driver && !strcmp(parent->driver->name, "vif");
}

/*
 * What is attached to a device's way out. A queueing discipline that the kernel
 * chose has no handle, and judges nothing.
 */
static enum cnilink_reason gate_attached(const struct net_device *dev)
{
	if (rcu_dereference(dev->qdisc)->handle)
		return CNILINK_REASON_QDISC;
	if (cni_compat_tc_egress(dev))
		return CNILINK_REASON_TC;
#ifdef CONFIG_NETFILTER_EGRESS
	if (cni_gate_nf_dev(dev->nf_hooks_egress, cni_stage_egress))
		return CNILINK_REASON_NFT_DEVICE;
#endif
	return 0;
}

/**
 * cni_frame_gate_in - what XDP steps over on the way in, besides stock devices
 * @rx: hook of the device that frames come in by
 *
 * Return: the reason to leave them to the kernel, or 0.
 */
enum cnilink_reason cni_frame_gate_in(const struct cni_rxdev *rx)
{
	if (rx->unfit)
		return CNILINK_REASON_XDP_DRIVER;
	if (READ_ONCE(rx->watched->features) & rx->blind)
		return CNILINK_REASON_XDP_OFFLOADS;
	/* Generic XDP sees what the stack has put together. */
	if (rcu_access_pointer(rx->dev->xdp_prog))
		return CNILINK_REASON_XDP;
	if (cni_compat_tc_ingress(rx->dev))
		return CNILINK_REASON_TC;
	if (cni_gate_tapped(rx->dev))
		return CNILINK_REASON_TAP;
	return 0;
}

/**
 * cni_frame_gate_out - what XDP steps over on the way out; does it get there?
 * @e: way out
 *
 * Return: the reason to leave frames to the kernel, or 0.
 */
enum cnilink_reason cni_frame_gate_out(const struct cni_encap *e)
{
	/* The program names it by its number, in the receiver's namespace. */
	if (!net_eq(dev_net(e->lower), dev_net(e->dev)) ||
	    !cni_compat_xdp_reaches(e->lower, e->flags & CNI_ENCAP_XDP))
		return CNILINK_REASON_XDP_TARGET;
	return gate_attached(e->lower);
}

/**
 * cni_frame_watch - find out what tells what XDP sees of a device
 * @rx: the device's hook, which no frame has met yet
 */
void cni_frame_watch(struct cni_rxdev *rx)
{
	rcu_read_lock();
	rx->watched = watched_dev(rx->dev, &rx->blind);
	rcu_read_unlock();
	rx->unfit = is_unfit(rx->dev);
}

/**
 * cni_frame_blockers - what keeps XDP from taking a device's frames
 * @rx: the device's hook, RTNL held
 *
 * And from sending frames to it, as its own program may be there or not.
 *
 * Return: a set of enum cnilink_blocker.
 */
u64 cni_frame_blockers(const struct cni_rxdev *rx)
{
	const struct net_device *dev = rx->dev;
	u64 blockers;

	rcu_read_lock();
	blockers = cni_gate_blocker(gate_attached(dev));
	if (cni_gate_nf_dev(dev->nf_hooks_ingress, cni_forward_ingress))
		blockers |= CNILINK_BLOCKER_NFT_DEVICE;
	if (cni_compat_tc_ingress(dev))
		blockers |= CNILINK_BLOCKER_TC;
	if (cni_gate_tapped(dev) || cni_gate_heard(dev, htons(ETH_P_IP)) ||
	    cni_gate_heard(dev, htons(ETH_P_IPV6)))
		blockers |= CNILINK_BLOCKER_TAP;
	/* Of these, the user can do something about the latter only. */
	if (rx->unfit)
		blockers |= CNILINK_BLOCKER_XDP_DRIVER;
	else if (rx->watched->features & rx->blind)
		blockers |= CNILINK_BLOCKER_XDP_OFFLOADS;
	if (rcu_access_pointer(dev->xdp_prog))
		blockers |= CNILINK_BLOCKER_XDP;
	rcu_read_unlock();
	if (!cni_xmit_xdp_reaches(dev))
		blockers |= CNILINK_BLOCKER_XDP_TARGET;
	return blockers;
}

/* Our own hook has to be the only one: the skb path is the last of them. */
static struct cni_rxdev *find_rxdev(const struct net_device *dev,
				    enum cnilink_reason *reason)
{
	const struct nf_hook_entries *e;
	struct cni_rxdev *rx = NULL;
	unsigned int i;

	e = rcu_dereference(dev->nf_hooks_ingress);
	if (unlikely(!e))
		return NULL;
	i = e->num_hook_entries - 1;
	if (likely(e->hooks[i].hook == cni_forward_ingress))
		rx = e->hooks[i].priv;
	if (unlikely(i))
		*reason = CNILINK_REASON_NFT_DEVICE;
	return rx;
}

/* The bond that a frame of its member is for, which isn't taken. */
static struct cni_rxdev *find_bond(struct net_device *dev,
				   enum cnilink_reason *reason)
{
	struct net_device *bond;
	struct cni_rxdev *rx;

	if (!netif_is_bond_slave(dev))
		return NULL;
	bond = netdev_master_upper_dev_get_rcu(dev);
	rx = bond ? find_rxdev(bond, reason) : NULL;
	*reason = CNILINK_REASON_XDP_DRIVER;
	return rx;
}

static enum cnilink_reason look_at(struct frame *f, const struct xdp_buff *xdp,
				   const struct cni_rxdev *rx)
{
	struct cni_packet_frame *view = &f->view;
	const struct ethhdr *eth = xdp->data;
	__be16 proto;

	if (unlikely(xdp->data + ETH_HLEN > xdp->data_end))
		return CNILINK_REASON_MALFORMED;
	f->l2_len = ETH_HLEN;
	proto = eth->h_proto;
	view->vlan_proto = 0;
	if (eth_type_vlan(proto)) {
		const struct cni_eth_vlan *tagged = xdp->data;

		f->l2_len += VLAN_HLEN;
		if (unlikely(xdp->data + f->l2_len > xdp->data_end))
			return CNILINK_REASON_MALFORMED;
		view->vlan_proto = proto;
		view->vlan_tci = ntohs(tagged->vlan.h_vlan_TCI);
		proto = tagged->vlan.h_vlan_encapsulated_proto;
		if (unlikely(!(view->vlan_tci & VLAN_VID_MASK)) &&
		    cni_decide_ignores_tag(rx, view->vlan_proto, proto))
			view->vlan_proto = 0;
	}
	view->dev = rx->dev;
	view->data = xdp->data + f->l2_len;
	view->len = xdp->data_end - view->data;
	view->protocol = proto;
	view->pkt_type = ether_addr_equal_64bits(eth->h_dest,
						 rx->dev->dev_addr) ?
			 PACKET_HOST : PACKET_OTHERHOST;
	return 0;
}

/* Is it a health check that can be answered? */
static noinline bool is_probe(struct frame *f)
{
	const struct cni_health_check *check;
	struct cni_health *health;

	health = rcu_dereference(f->fwd.decap->tunnel->health);
	check = cni_health_find(health, &f->fwd, cni_packet_frame(&f->view));
	if (!check)
		return false;
	f->health = health;
	f->request = check->flags & CNILINK_HEALTH_FLAG_REQUEST;
	return true;
}

static enum cnilink_reason decide_link(struct frame *f)
{
	struct cni_packet pkt = cni_packet_frame(&f->view);
	enum cnilink_reason reason, gre = 0;
	struct cni_forward *fwd = &f->fwd;

	reason = cni_decide_link(fwd, f->link, pkt);
	if (unlikely(reason))
		return reason;
	if (cni_decide_may_be_gre(pkt)) {
		gre = cni_decide_tunnel(f->link, pkt, fwd);
		if (likely(!gre)) {
			if (unlikely(fwd->decap->health) && is_probe(f))
				return 0;
			return cni_decide_inner(fwd, pkt,
					  ((struct iphdr *)f->view.data)->tos,
					  sizeof(struct iphdr));
		}
	} else if (unlikely(f->view.protocol == htons(ETH_P_IPV6) &&
			    cni_ip6gre_maybe(pkt))) {
		return cni_decide_tunnel6(f->link, pkt, fwd);
	}
	reason = cni_decide_ip(fwd, pkt);
	return gre && reason == CNILINK_REASON_LOCAL ? gre : reason;
}

/* How long the headers are, with the tag: it goes into the frame. */
static unsigned int push_len(const struct cni_encap *e)
{
	return e->hdr_len +
	       (e->vlan && e->flags & CNI_ENCAP_VLAN_HW ? VLAN_HLEN : 0);
}

/* What the skb path can do with a packet that it takes, and XDP can't. */
static enum cnilink_reason check_change(const struct frame *f,
					const struct xdp_buff *xdp)
{
	const struct cni_forward *fwd = &f->fwd;

	if (unlikely(fwd->set_ce || fwd->set_ect1))
		return CNILINK_REASON_CHANGE;
	if (unlikely(fwd->mss || fwd->encap->flags & CNI_ENCAP_MSS) &&
	    cni_burst_may_be_clamped(f->view.data + fwd->off, fwd->len,
				     fwd->proto == htons(ETH_P_IPV6)))
		return CNILINK_REASON_CHANGE;
	if (unlikely(!cni_burst_fits(xdp, (int)(f->l2_len + fwd->off) -
					  (int)push_len(fwd->encap))))
		return CNILINK_REASON_XDP_FRAME;
	return 0;
}

static u16 vlan_tci(const struct frame *f, const struct cni_encap *e)
{
	u32 priority = 0;

	if (f->link && f->link->tagged)
		priority = vlan_dev_priv(f->link->dev)->ingress_priority_map
				[f->view.vlan_tci >> VLAN_PRIO_SHIFT];
	if (f->fwd.proto == htons(ETH_P_IP) &&
	    READ_ONCE(f->fwd.cn->net->ipv4.sysctl_ip_fwd_update_priority))
		priority = rt_tos2priority(f->fwd.dsfield);
	return e->vlan_tci | vlan_dev_get_egress_qos_mask(e->vlan, priority);
}

/* The outer header of a tunnel over IPv6; its label is made of a hash. */
static noinline void fill_outer6(const struct frame *f, struct ipv6hdr *iph,
				 unsigned int len, u8 ttl)
{
	const struct cni_forward *fwd = &f->fwd;
	__be32 label;

	label = cni_ip6gre_label(fwd->encap, cni_packet_frame(&f->view),
				 fwd->off, fwd->proto);
	cni_ip6gre_outer(fwd->encap, iph, len, label, fwd->proto, fwd->dsfield,
			 ttl);
}

/*
 * The packet itself has the sum @sum when it comes in. Of one that is passed on
 * the TTL changes, for which IPv4's header makes up.
 */
static noinline void fill_csum(const struct frame *f, void *greh, __wsum sum)
{
	const struct cni_forward *fwd = &f->fwd;

	if (!f->request && fwd->proto == htons(ETH_P_IPV6))
		sum = csum_sub(sum, (__force __wsum)htons(1));
	sum = csum_partial(greh, fwd->encap->gre_len, sum);
	*(__sum16 *)(greh + sizeof(struct gre_base_hdr)) = csum_fold(sum);
}

/*
 * The outer headers that differ by more than lengths, and IPv4's; @head bytes
 * of the packet follow them.
 */
static void fill_outer(const struct frame *f, struct cni_burst_out *out,
		       unsigned int head)
{
	const struct cni_forward *fwd = &f->fwd;
	const struct cni_encap *e = fwd->encap;
	const void *inner = f->view.data + fwd->off;
	u8 *end = out->res.hdr + push_len(e);
	const void *sent = head ? end : inner;
	void *iph = end - out->outer_len;
	unsigned int len = fwd->len + out->outer_len;
	__be16 df = 0;
	u8 ttl;

	if (fwd->proto == htons(ETH_P_IP)) {
		ttl = ((const struct iphdr *)sent)->ttl;
		df = ((const struct iphdr *)sent)->frag_off & htons(IP_DF);
	} else {
		ttl = ((const struct ipv6hdr *)sent)->hop_limit;
	}
	ttl -= !f->request;
	if (e->flags & CNI_ENCAP_GRE)
		cni_encap_outer(e, iph, len, fwd->proto, fwd->dsfield, ttl, df,
				NULL);
	else
		fill_outer6(f, iph, len, ttl);
	if (unlikely(e->flags & CNI_ENCAP_CSUM))
		fill_csum(f, end - e->gre_len,
			  csum_partial(inner + head, fwd->len - head,
				       csum_partial(end, head, 0)));
}

static void fill_in(struct cni_burst_in *in, struct cni_net *cn,
		    const struct net_device *dev,
		    struct cni_stats __percpu *stats)
{
	in->cn = cn;
	in->dev = dev;
	in->stats = this_cpu_ptr(stats);
	memset(in->bits, CNI_BURST_UNKNOWN, sizeof(in->bits));
}

/* Those after it need no more questions, unless routes are being changed. */
static void know_family(struct cni_burst_in *in, const struct frame *f)
{
	const struct cni_forward *fwd = &f->fwd;
	unsigned int family = fwd->proto == htons(ETH_P_IPV6) ? CNI_V6 : CNI_V4;
	u64 bits = checks_in(fwd)->ingress[family] ^ fwd->now;

	if (bits & ~(u64)(CNI_EPOCH_NF | CNI_EPOCH_NF_GRE) ||
	    cni_fib_pending(fwd->cn, family))
		return;
	in->bits[family] = bits | CNI_BURST_MSS_OUT |
			   (fwd->mss ? CNI_BURST_MSS_IN : 0) |
			   (fwd->decap && fwd->decap->health ?
			    CNI_BURST_PROBES : 0);
}

/* Where a frame came in; @plain: those after it may need no second look. */
static struct cni_burst_lane *fill_lane(struct cni_burst *b,
					const struct frame *f,
					const struct xdp_buff *xdp, bool plain)
{
	const struct cni_link *link = f->link;
	const struct net_device *dev = xdp->rxq->dev;
	struct cni_burst_lane *lane = &b->untagged;
	__be16 vlan_id = 0;

	if (link && link->tagged) {
		vlan_id = htons(link->vlan_id);
		lane = cni_burst_lane_at(b, vlan_id);
		plain &= link->vlan_proto == htons(ETH_P_8021Q);
	}
	if (f->port && READ_ONCE(f->port->flags) &
		       CNILINK_PORT_FLAG_STRICT_SOURCE)
		plain = false;
	if (!plain)
		lane = &b->spare_lane;
	else if (lane->now == f->fwd.now && lane->dev == dev &&
		 lane->link == link && lane->vlan_id == vlan_id)
		goto known;
	fill_in(&lane->in, f->fwd.cn, link ? link->dev : f->port->dev,
		link ? link->stats : f->port->stats);
	lane->now = f->fwd.now;
	lane->dev = dev;
	ether_addr_copy((u8 *)&lane->mac, dev->dev_addr);
	lane->vlan_id = vlan_id;
	lane->link = link;
	lane->link_stats = link ? this_cpu_ptr(link->stats) : NULL;
	lane->vlan = link && link->tagged ? cni_stats_vlan(link->dev) : NULL;
known:
	if (!f->fwd.decap)
		know_family(&lane->in, f);
	return lane;
}

static struct cni_burst_tunnel *fill_tunnel(struct cni_burst *b,
					    const struct frame *f, bool plain)
{
	const struct cni_decap *decap = f->fwd.decap;
	const struct iphdr *iph = f->view.data;
	const struct gre_base_hdr *greh = (void *)(iph + 1);
	u64 ends = cni_burst_ends(iph);
	struct cni_burst_tunnel *tunnel = cni_burst_tunnel_at(b, ends);

	if (!plain || decap->outer6 || decap->csum)
		tunnel = &b->spare_tunnel;
	else if (tunnel->now == f->fwd.now && tunnel->ends == ends &&
		 tunnel->link == f->link && tunnel->flags == greh->flags &&
		 tunnel->key == decap->key)
		goto known;
	fill_in(&tunnel->in, f->fwd.cn, decap->dev, decap->stats);
	tunnel->now = f->fwd.now;
	tunnel->ends = ends;
	tunnel->link = f->link;
	tunnel->flags = greh->flags;
	tunnel->key = decap->key;
	tunnel->off = f->fwd.off;
	tunnel->gre = this_cpu_ptr(decap->dev->tstats);
known:
	know_family(&tunnel->in, f);
	return tunnel;
}

/* What packets that are sent by a way out have alike */
static noinline void prepare_out(struct cni_burst_out *out,
				 const struct cni_encap *e)
{
	struct cni_eth_vlan *eth = (void *)out->res.hdr;
	unsigned int push = push_len(e);

	BUILD_BUG_ON(sizeof(out->res.hdr) < CNI_ENCAP_MAX6 + CNI_HEALTH_HEAD);
	out->now = 0;
	out->encap = e;
	out->serial = e->serial;
	out->stats = this_cpu_ptr(e->stats);
	out->link_stats = e->link_stats ? this_cpu_ptr(e->link_stats) : NULL;
	out->vlan = e->vlan ? cni_stats_vlan(e->vlan) : NULL;
	out->gre = e->gre ? this_cpu_ptr(e->gre->tstats) : NULL;
	out->outer_len = e->hdr_len - e->l2_len;
	out->outer = e->flags & CNI_ENCAP_GRE ?
		     (void *)(out->res.hdr + push - out->outer_len) : NULL;
	out->csum = e->csum;
	out->tos = e->tos & ~INET_ECN_MASK;
	out->onlink = !e->neigh;
	out->stacked = e->vlan || e->gre;
	out->gates = (e->gates & (BIT(CNI_EPOCH_SHIFT) - 1)) |
		     CNI_BURST_UNKNOWN | CNI_BURST_PROBES | CNI_BURST_MSS_IN |
		     (e->flags & CNI_ENCAP_MSS ? CNI_BURST_MSS_OUT : 0);
	out->res.ifindex = e->lower->ifindex;
	out->res.push = push;
	out->res.verdict = XDP_REDIRECT;
	out->res.reason = CNILINK_REASON_NONE;

	memcpy(out->res.hdr + push - e->hdr_len,
	       e->hdr + sizeof(e->hdr) - e->hdr_len, e->hdr_len);
	/* The tag goes into the frame, whatever the device could do. */
	if (push > e->hdr_len)
		memmove(eth, out->res.hdr + VLAN_HLEN, 2 * ETH_ALEN);
	if (e->vlan) {
		eth->eth.h_proto = e->vlan_proto;
		eth->vlan.h_vlan_TCI = htons(e->vlan_tci);
	}
}

/* How a frame is sent; @alike: its headers are those of all. */
static struct cni_burst_out *fill_out(struct cni_burst *b, struct frame *f,
				      bool alike)
{
	const struct cni_encap *e = f->fwd.encap;
	struct cni_burst_out *out = cni_burst_out_at(b, e);
	struct cni_eth_vlan *eth;

	if (unlikely(out->serial != e->serial))
		prepare_out(out, e);
	/* Without the last packet's ECN */
	if (out->outer)
		out->outer->tos = out->tos;
	if (alike) {
		out->now = f->fwd.now;
	} else {
		b->spare_out = *out;
		out = &b->spare_out;
		eth = (void *)out->res.hdr;
		if (e->flags & CNI_ENCAP_VLAN_QOS)
			eth->vlan.h_vlan_TCI = htons(vlan_tci(f, e));
	}
	out->res.less = (int)(f->l2_len + f->fwd.off) - (int)out->res.push;
	out->res.age = f->fwd.proto == htons(ETH_P_IPV6) ? 6 : 4;
	cni_burst_set_mac(out, f->fwd.neigh);
	return out;
}

/*
 * Take a frame. What goes for those that differ from it by their addresses and
 * lengths only is kept: not what has headers of its own, nor a health check,
 * which isn't asked all.
 */
static const struct cnilink_xdp_result *send(struct cni_burst *b,
					     struct frame *f,
					     const struct xdp_buff *xdp)
{
	const struct cni_encap *e = f->fwd.encap;
	bool alike = !READ_ONCE(e->hold) &&
		     !(e->gre && INET_ECN_is_ce(f->fwd.dsfield)) &&
		     !(e->flags & (CNI_ENCAP_VARIES | CNI_ENCAP_GRE6 |
				   CNI_ENCAP_CSUM | CNI_ENCAP_VLAN_QOS));
	bool plain = !f->health;
	struct cni_burst_lane *lane = fill_lane(b, f, xdp, plain);
	struct cni_burst_out *out = fill_out(b, f, plain && alike);
	struct cni_burst_in *in = &lane->in;
	struct cni_burst_tunnel *tunnel;
	unsigned int head = 0;
	struct cni_burst_frame frame = {
		.end = xdp->data_end,
		.net = f->view.data,
		.ip = f->view.data + f->fwd.off,
		.len = f->fwd.len,
		.outer_len = f->fwd.outer_len,
	};

	if (f->fwd.decap) {
		tunnel = fill_tunnel(b, f, plain);
		cni_burst_count_tunnel(&frame, lane, tunnel);
		in = &tunnel->in;
	}
	if (f->request) {
		head = cni_health_reply(f->health, frame.ip, f->fwd.proto,
					out->res.hdr + out->res.push);
		out->res.age = 0;
	}
	if (e->gre)
		fill_outer(f, out, head);
	cni_burst_send(&frame, lane, in, out);
	/* Not among what is counted: it is the packet's own. */
	out->res.push += head;
	return &out->res;
}

static enum cnilink_reason decide(struct frame *f, const struct xdp_buff *xdp)
{
	struct cni_packet pkt = cni_packet_frame(&f->view);
	enum cnilink_reason reason;
	u32 flags;

	if (unlikely(xdp_buff_has_frags((struct xdp_buff *)xdp)))
		return CNILINK_REASON_XDP_FRAME;
	if (f->link)
		return decide_link(f);
	flags = READ_ONCE(f->port->flags);
	f->fwd.bypass_nf = flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER;
	if (unlikely(flags & CNILINK_PORT_FLAG_STRICT_SOURCE)) {
		/* Nothing is dropped that isn't seen as a whole. */
		reason = cni_frame_gate_in(f->fwd.xdp);
		if (reason)
			return reason;
		reason = cni_source_check(f->port, pkt);
		if (reason)
			return reason;
	}
	return cni_decide_port(&f->fwd, f->port, pkt);
}

static const struct cnilink_xdp_result *leave(struct cni_burst *b,
					      enum cnilink_reason reason)
{
	struct cnilink_xdp_result *res = &b->spare_out.res;

	res->reason = reason;
	res->verdict = reason == CNILINK_REASON_STRICT_SOURCE ? XDP_DROP :
								XDP_PASS;
	return res;
}

/**
 * cni_frame_decide - the whole decision what to do with a frame
 * @b: what is known on this CPU
 * @xdp: frame
 *
 * With bottom halves off. What is taken is counted.
 *
 * Return: what the program is told, good until it ends.
 */
const struct cnilink_xdp_result *__flatten
cni_frame_decide(struct cni_burst *b, struct xdp_buff *xdp)
{
	struct net_device *dev = xdp->rxq->dev;
	enum cnilink_reason reason, nf = 0;
	struct cni_rxdev *rx;
	struct frame f;

	/* What nobody fills in below; to clear all costs more. */
	f.port = NULL;
	f.health = NULL;
	f.request = false;
	f.fwd.decap = NULL;
	f.fwd.mss = NULL;
	f.fwd.off = 0;
	f.fwd.bypass_nf = false;
	f.fwd.stepped = false;
	f.fwd.set_ce = false;
	f.fwd.set_ect1 = false;

	/* Before anything is found that may be gone with the next one. */
	f.fwd.now = cni_epoch_now();
	rx = find_rxdev(dev, &nf);
	if (unlikely(!rx))
		rx = find_bond(dev, &nf);
	if (unlikely(!rx))
		return leave(b, CNILINK_REASON_NONE);
	reason = look_at(&f, xdp, rx);
	if (unlikely(reason))
		return leave(b, CNILINK_REASON_NONE);

	f.link = cni_decide_which(rx, cni_packet_frame(&f.view));
	if (f.link) {
		f.fwd.cn = f.link->cn;
		f.fwd.dev = f.link->dev;
		f.fwd.stats = f.link->stats;
	} else {
		f.port = rcu_dereference(rx->port);
		if (!f.port)
			return leave(b, CNILINK_REASON_NONE);
		f.fwd.cn = f.port->cn;
		f.fwd.dev = f.port->dev;
		f.fwd.stats = f.port->stats;
	}
	f.fwd.proto = f.view.protocol;
	f.fwd.xdp = rx;

	reason = nf ?: decide(&f, xdp);
	if (likely(!reason))
		reason = check_change(&f, xdp);
	/* The last question, for it takes from what may be answered. */
	if (unlikely(f.health) && !reason && !cni_health_take(f.health, false))
		reason = CNILINK_REASON_CHANGE;
	if (unlikely(reason)) {
		cni_stats_xdp_reason(f.link ? f.link->stats : f.port->stats,
				     reason);
		return leave(b, reason);
	}
	/* Not XDP_TX: a veth forgets such when its peer has GRO, and no XDP. */
	return send(b, &f, xdp);
}
