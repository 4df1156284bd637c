// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "kernel/ethtool.h"
#include "kernel/nl.h"
#include "kernel/rtnl.h"

struct ask {
	struct nlconn c;
	int family;
	const char *ifname;
};

static int begin(struct ask *a, const char *ifname)
{
	int rc = nlc_open(&a->c, NETLINK_GENERIC);

	if (rc)
		return rc;
	a->ifname = ifname;
	a->family = genl_ctrl_resolve(a->c.sk, ETHTOOL_GENL_NAME);
	return a->family < 0 ? -EOPNOTSUPP : 0;
}

static struct nl_msg *request(struct ask *a, uint8_t cmd)
{
	struct genlmsghdr head = { .cmd = cmd, .version = 1 };
	struct nl_msg *msg = nlx_msg(a->family, 0, &head, sizeof(head));
	struct nlattr *nest;

	/* It's the first attribute of every request's. */
	nest = nlx_nest(msg, ETHTOOL_A_MODULE_EEPROM_HEADER);
	nlx_str(msg, ETHTOOL_A_HEADER_DEV_NAME, a->ifname);
	nla_nest_end(msg, nest);
	return msg;
}

struct bytes {
	uint8_t *to;
	uint8_t len, got;
};

static int take_bytes(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[ETHTOOL_A_MODULE_EEPROM_MAX + 1];
	struct bytes *b = arg;

	nlx_parse(nlh, GENL_HDRLEN, tb, ETHTOOL_A_MODULE_EEPROM_MAX);
	if (tb[ETHTOOL_A_MODULE_EEPROM_DATA] &&
	    nla_len(tb[ETHTOOL_A_MODULE_EEPROM_DATA]) >= b->len) {
		memcpy(b->to, nla_data(tb[ETHTOOL_A_MODULE_EEPROM_DATA]),
		       b->len);
		b->got = b->len;
	}
	return 0;
}

static int read_module(void *arg, uint8_t i2c, uint8_t page, uint8_t offset,
		       uint8_t *to, uint8_t len)
{
	struct bytes b = { .to = to, .len = len };
	struct ask *a = arg;
	struct nl_msg *msg = request(a, ETHTOOL_MSG_MODULE_EEPROM_GET);
	int rc;

	nlx_u32(msg, ETHTOOL_A_MODULE_EEPROM_OFFSET, offset);
	nlx_u32(msg, ETHTOOL_A_MODULE_EEPROM_LENGTH, len);
	nlx_u8(msg, ETHTOOL_A_MODULE_EEPROM_PAGE, page);
	nlx_u8(msg, ETHTOOL_A_MODULE_EEPROM_BANK, 0);
	nlx_u8(msg, ETHTOOL_A_MODULE_EEPROM_I2C_ADDRESS, i2c);
	rc = nlc_talk(&a->c, msg, take_bytes, &b);
	return rc ? rc : b.got ? 0 : -EIO;
}

int ethtool_optics(const char *ifname, struct optics *o)
{
	struct ask a;
	int rc;

	memset(o, 0, sizeof(*o));
	rc = begin(&a, ifname);
	if (!rc)
		rc = optics_decode(read_module, &a, o);
	nlc_close(&a.c);
	return rc;
}

static int take_speed(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[ETHTOOL_A_LINKMODES_MAX + 1];

	nlx_parse(nlh, GENL_HDRLEN, tb, ETHTOOL_A_LINKMODES_MAX);
	if (tb[ETHTOOL_A_LINKMODES_SPEED])
		*(uint32_t *)arg = nla_get_u32(tb[ETHTOOL_A_LINKMODES_SPEED]);
	return 0;
}

unsigned int ethtool_speed(const char *ifname)
{
	uint32_t speed = 0;
	struct ask a;

	if (!begin(&a, ifname) &&
	    nlc_talk(&a.c, request(&a, ETHTOOL_MSG_LINKMODES_GET), take_speed,
		     &speed))
		speed = 0;
	nlc_close(&a.c);
	return speed == UINT32_MAX ? 0 : speed;
}

static int ask_ioctl(uint32_t ifindex, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s",
		 rtnl_name(ifindex));
	rc = ioctl(fd, request, ifr);
	close(fd);
	return rc;
}

/* Netlink doesn't tell, and sysfs may be another namespace's. */
bool ethtool_driver_is(uint32_t ifindex, const char *driver)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr = { .ifr_data = (void *)&info };

	return !ask_ioctl(ifindex, SIOCETHTOOL, &ifr) &&
	       !strcmp(info.driver, driver);
}

unsigned int ethtool_mtu(uint32_t ifindex)
{
	struct ifreq ifr = {};

	return ask_ioctl(ifindex, SIOCGIFMTU, &ifr) ? 0 : ifr.ifr_mtu;
}
