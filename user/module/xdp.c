// SPDX-License-Identifier: GPL-2.0
/*
 * The XDP program on the devices that the module takes frames from. A link of
 * libbpf's holds it, and a pin in the BPF file system holds the link, so that it
 * stays when cnictl ends, and the next cnictl finds it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <linux/magic.h>

#include "base/out.h"
#include "cnilink.skel.h"
#include "kernel/ethtool.h"
#include "kernel/rtnl.h"
#include "module/format.h"
#include "module/names.h"
#include "module/xdp.h"

#define BPFFS "/sys/fs/bpf"
#define PINS BPFFS "/cnilink"

/* Devices of different namespaces may have the same number. */
static void pin_path(char *buf, size_t size, uint32_t ifindex)
{
	struct stat st = {};

	stat("/proc/self/ns/net", &st);
	snprintf(buf, size, PINS "/%llu-%u",
		 (unsigned long long)st.st_ino, ifindex);
}

/* "ip netns exec" hides the file system, and takes with it what is mounted. */
static bool mounts_stay(void)
{
	struct stat ours, inits;

	return stat("/proc/self/ns/mnt", &ours) ||
	       stat("/proc/1/ns/mnt", &inits) || ours.st_ino == inits.st_ino;
}

static int need_bpffs(void)
{
	struct statfs fs;

	if (statfs(BPFFS, &fs))
		return -errno;
	if (fs.f_type != BPF_FS_MAGIC) {
		if (!mounts_stay())
			return -EXDEV;
		if (mount("bpf", BPFFS, "bpf", 0, "mode=0700"))
			return -errno;
	}
	return mkdir(PINS, 0700) && errno != EEXIST ? -errno : 0;
}

static int silent(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (getenv("CNICTL_DEBUG"))
		return vfprintf(stderr, fmt, args);
	(void)level;
	return 0;
}

/* What the link that is pinned at @path holds; false when it's none. */
static bool read_pin(const char *path, uint32_t *ifindex, uint32_t *prog_id)
{
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info);
	int rc, fd;

	fd = bpf_obj_get(path);
	if (fd < 0)
		return false;
	rc = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	*ifindex = info.xdp.ifindex;
	*prog_id = info.prog_id;
	return !rc && info.type == BPF_LINK_TYPE_XDP;
}

/* The next pin of a folder, of whatever namespace; false at the end. */
static bool next_pin(DIR *dir, char *path, size_t size, uint32_t *ifindex,
		     uint32_t *prog_id)
{
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		snprintf(path, size, PINS "/%s", e->d_name);
		if (*e->d_name != '.' && read_pin(path, ifindex, prog_id))
			return true;
	}
	return false;
}

/*
 * The pin of the program on a device: each has a program of its own. By that it
 * is found wherever the device has gone since, and under whatever number.
 */
static bool find_pin(uint32_t ifindex, uint32_t prog_id, char *path,
		     size_t size)
{
	uint32_t of, id;
	bool found = false;
	DIR *dir;

	pin_path(path, size, ifindex);
	if (read_pin(path, &of, &id) && of == ifindex && id == prog_id)
		return true;
	dir = opendir(PINS);
	while (!found && next_pin(dir, path, size, &of, &id))
		found = of == ifindex && id == prog_id;
	if (dir)
		closedir(dir);
	return found;
}

static bool is_ours(uint32_t ifindex, uint32_t prog_id)
{
	char path[PATH_MAX];

	return find_pin(ifindex, prog_id, path, sizeof(path));
}

unsigned int xdp_sweep(void)
{
	uint32_t ifindex, prog_id;
	unsigned int n = 0;
	char path[PATH_MAX];
	DIR *dir = opendir(PINS);

	/* The kernel tells no device once it's gone, in whatever namespace. */
	while (next_pin(dir, path, sizeof(path), &ifindex, &prog_id))
		n += !ifindex && !unlink(path);
	if (dir)
		closedir(dir);
	return n;
}

/*
 * Before 6.3 the virtio driver loses frames that don't fit into a page beside
 * XDP's room, and says so in a counter of its own only; and at an MTU above 4064
 * the kernel believes the program gone that the driver keeps.
 */
#define VIRTIO_MTU 3490

static bool mtu_too_long(uint32_t ifindex)
{
	unsigned int major, minor;
	struct utsname u;

	return ethtool_mtu(ifindex) > VIRTIO_MTU && !uname(&u) &&
	       sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 3)) &&
	       ethtool_driver_is(ifindex, "virtio_net");
}

int xdp_look(struct xdp_dev *d)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, o);
	int rc;

	libbpf_set_print(silent);
	rc = bpf_xdp_query(d->ifindex, 0, &o);
	if (rc)
		return rc;
	d->prog_id = o.drv_prog_id ? o.drv_prog_id :
		     o.skb_prog_id ? o.skb_prog_id : o.hw_prog_id;
	d->generic = !o.drv_prog_id && o.skb_prog_id;
	d->ours = o.drv_prog_id && is_ours(d->ifindex, o.drv_prog_id);
	d->other = d->prog_id && !d->ours;
	d->too_long = mtu_too_long(d->ifindex);
	return 0;
}

static int attach_and_pin(const struct cnilink_bpf *skel, uint32_t ifindex)
{
	/* Natively or not at all: a generic program would only cost. */
	LIBBPF_OPTS(bpf_link_create_opts, o, .flags = XDP_FLAGS_DRV_MODE);
	char path[128];
	int fd, rc;

	fd = bpf_link_create(bpf_program__fd(skel->progs.cnilink_xdp), ifindex,
			     BPF_XDP, &o);
	if (fd < 0)
		return fd;
	pin_path(path, sizeof(path), ifindex);
	/* Of a device that is gone, whose number was given again. */
	unlink(path);
	rc = bpf_obj_pin(fd, path);
	close(fd);
	return rc;
}

int xdp_attach(uint32_t ifindex)
{
	struct xdp_dev d = { .ifindex = ifindex };
	struct cnilink_bpf *skel;
	int rc;

	rc = xdp_look(&d);
	if (rc)
		return rc;
	if (d.ours || d.other)
		return d.ours ? -EEXIST : -EBUSY;
	rc = need_bpffs();
	if (rc)
		return rc;
	skel = cnilink_bpf__open_and_load();
	/* Its only demand on the kernel and the module is to be called. */
	if (!skel)
		return errno == EPERM ? -EPERM : -ENOEXEC;
	rc = attach_and_pin(skel, ifindex);
	cnilink_bpf__destroy(skel);
	return rc;
}

int xdp_detach(uint32_t ifindex)
{
	struct xdp_dev d = { .ifindex = ifindex };
	char path[PATH_MAX];
	int fd, rc;

	rc = xdp_look(&d);
	if (rc || !d.ours)
		return rc ? rc : -ENOENT;
	if (d.too_long)
		return -EMSGSIZE;
	if (!find_pin(ifindex, d.prog_id, path, sizeof(path)))
		return -ENOENT;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	rc = bpf_link_detach(fd);
	close(fd);
	if (!rc)
		unlink(path);
	return rc;
}

const char *xdp_blocked(const struct xdp_dev *d)
{
	uint64_t bit, no = d->blockers & (CNILINK_BLOCKER_XDP_OFFLOADS |
					  CNILINK_BLOCKER_XDP_TARGET |
					  CNILINK_BLOCKER_XDP_DRIVER);

	for (bit = 1; no && bit; bit <<= 1)
		if (no & bit)
			return names_blocker_advice(bit, rtnl_name(d->ifindex));
	return xdp_mtu_advice(d);
}

const char *xdp_mtu_advice(const struct xdp_dev *d)
{
	static char buf[512];

	if (!d->too_long)
		return NULL;
	snprintf(buf, sizeof(buf), "%s: %s", rtnl_name(d->ifindex),
		 xdp_strerror(-EMSGSIZE));
	return buf;
}

const char *xdp_strerror(int rc)
{
	switch (rc) {
	case -EBUSY:
		return "another XDP program is on it, and two can't be: take that off first (\"ip link set DEVICE xdp off\", or what its owner offers)";
	case -EEXIST:
		return "our XDP program is on it already";
	case -EOPNOTSUPP:
		return "its driver has no native XDP, or, if it is virtio, its host merges frames and can't be told not to; the skb path needs no XDP";
	case -EPERM:
		return "that takes root (CAP_NET_ADMIN, CAP_BPF and, to read the module's type information, CAP_SYS_ADMIN)";
	case -ENOEXEC:
		return "the kernel can't load the XDP program: CNICTL_DEBUG=1 cnictl xdp attach says why";
	case -EMSGSIZE:
		return "its MTU is too long: with XDP the virtio driver of kernels before 6.3 loses frames that don't fit into a page, and at such an MTU it can't be taken off either: \"ip link set DEVICE mtu 3490\", or less";
	case -EXDEV:
		return "/sys/fs/bpf isn't there to keep the program: it is mounted, but not where \"ip netns exec\" runs programs; use \"nsenter --net=/run/netns/NAME\"";
	case -ENOSPC:
	case -ENOMEM:
		return "the driver has no room for XDP: not enough queues, or too large an MTU";
	default:
		return strerror(-rc);
	}
}

static bool is_listed(const struct xdp_dev *list, unsigned int n,
		      uint32_t ifindex)
{
	while (n--)
		if (list[n].ifindex == ifindex)
			return true;
	return false;
}

/* Those that have our program, but that the module takes no frames from. */
static void add_others(struct xdp_dev **list, unsigned int *n)
{
	static const struct cni_stats none;
	uint32_t ifindex, prog_id;
	char path[PATH_MAX];
	struct xdp_dev d;
	DIR *dir = opendir(PINS);

	while (next_pin(dir, path, sizeof(path), &ifindex, &prog_id)) {
		d = (struct xdp_dev){ .ifindex = ifindex, .stats = &none,
				      .left = true };
		/* The number may be another device's here. */
		if (!ifindex || is_listed(*list, *n, ifindex) ||
		    xdp_look(&d) || d.prog_id != prog_id)
			continue;
		*list = xrealloc(*list, (*n + 1) * sizeof(**list));
		(*list)[(*n)++] = d;
	}
	if (dir)
		closedir(dir);
}

int xdp_devs(const struct cni_link *links, unsigned int n_links,
	     const struct cni_port *ports, unsigned int n_ports,
	     struct xdp_dev **list, unsigned int *n)
{
	struct xdp_dev *d;
	unsigned int i;
	int rc;

	*list = xalloc((n_links + n_ports + 1) * sizeof(**list));
	*n = 0;
	for (i = 0; i < n_links + n_ports; i++) {
		d = &(*list)[*n];
		memset(d, 0, sizeof(*d));
		if (i < n_links) {
			d->ifindex = links[i].lower;
			d->blockers = links[i].xdp_blockers;
			d->stats = &links[i].stats;
		} else {
			d->ifindex = ports[i - n_links].ifindex;
			d->blockers = ports[i - n_links].xdp_blockers;
			d->stats = &ports[i - n_links].stats;
		}
		/* Several links on one device: their counters are shown. */
		if (is_listed(*list, *n, d->ifindex))
			continue;
		rc = xdp_look(d);
		if (rc)
			return rc;
		++*n;
	}
	add_others(list, n);
	return 0;
}

json_t *xdp_json(const struct xdp_dev *d)
{
	json_t *o = json_object();

	json_object_set_new(o, "dev", json_string(rtnl_name(d->ifindex)));
	json_object_set_new(o, "ifindex", json_integer(d->ifindex));
	json_object_set_new(o, "attached", json_boolean(d->ours));
	if (d->ours)
		json_object_set_new(o, "mode", json_string("native"));
	if (d->too_long)
		json_object_set_new(o, "mtu-too-long", json_true());
	if (d->prog_id)
		json_object_set_new(o, "program", json_integer(d->prog_id));
	json_object_set_new(o, "foreign", json_boolean(d->other));
	json_object_set_new(o, "blockers", names_blockers_json(d->blockers));
	json_object_set_new(o, "rx-packets",
			    json_integer(d->stats->rx_packets));
	json_object_set_new(o, "xdp-packets",
			    json_integer(d->stats->xdp_packets));
	json_object_set_new(o, "pass", format_counts_json(d->stats->xdp_pass));
	return o;
}
