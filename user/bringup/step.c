// SPDX-License-Identifier: GPL-2.0
/* The steps: said as they are done, and noted to be taken back. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "base/signals.h"
#include "bringup/bringup.h"
#include "kernel/saved.h"

static void say(struct up *u, const char *mark, const char *what,
		const char *fmt, va_list ap)
{
	char text[512];
	json_t *step;

	vsnprintf(text, sizeof(text), fmt, ap);
	if (!out_json) {
		printf("%s %s\n", mark, text);
		fflush(stdout);
		return;
	}
	step = json_object();
	json_object_set_new(step, "action", json_string(what));
	json_object_set_new(step, "step", json_string(text));
	json_array_append_new(u->steps, step);
}

bool step_do(struct up *u, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(u, "[#]", u->dry ? "would-do" : "do", fmt, ap);
	va_end(ap);
	u->done++;
	return !u->dry;
}

void step_right(struct up *u, const char *fmt, ...)
{
	va_list ap;

	/* In a log that goes on for months it says nothing. */
	if (u->known)
		return;
	va_start(ap, fmt);
	say(u, "[=]", "right-already", fmt, ap);
	va_end(ap);
}

void step_remark(struct up *u, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(u, "[!]", "note", fmt, ap);
	va_end(ap);
}

void step_remark_held(struct up *u, const char *before)
{
	char *text = out_held(), *line, *save;

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		step_remark(u, "%s%s", before, line);
		before = "  ";
	}
	free(text);
}

void step_undoing(struct up *u, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(u, "[-]", "undo", fmt, ap);
	va_end(ap);
}

const char *step_owner(struct up *u, const char *dev)
{
	static char title[sizeof(u->alias)];
	const char *other;
	struct netdev d;

	other = record_user(&u->record, dev, RECORD_LINK | RECORD_TUNNEL);
	if (other || dev_look(u, dev, &d) || dev_is_ours(u, &d) ||
	    strncmp(d.alias, "cnictl ", 7))
		return other;
	strcpy(title, d.alias + 7);
	return title;
}

bool step_others_keep(struct up *u, const char *dev)
{
	const char *other = record_user(&u->record, dev, RECORD_ANY);

	if (other)
		step_remark(u, "%s stays as it is: the link '%s' uses it", dev,
			    other);
	return other;
}

struct undo *step_on_failure(struct up *u, uint32_t ifindex,
			     void (*fn)(struct up *, const struct undo *))
{
	struct undo *undo = xalloc(sizeof(*undo));

	undo->fn = fn;
	undo->ifindex = ifindex;
	undo->next = u->undo;
	u->undo = undo;
	return undo;
}

static void end_last(struct up *u, bool back)
{
	struct undo *undo = u->undo;

	u->undo = undo->next;
	if (back)
		undo->fn(u, undo);
	saved_free(undo->saved);
	free(undo->table);
	while (undo->n_routes)
		free((void *)undo->routes[--undo->n_routes].hops);
	free(undo->routes);
	free(undo);
}

void step_end(struct up *u, bool back)
{
	while (u->undo)
		end_last(u, back);
}

void step_undo_to(struct up *u, const struct undo *last)
{
	while (u->undo != last)
		end_last(u, true);
}

/* What the kernel's answer comes from on the machines that people have. */
static void say_remedy(int rc, const char *name)
{
	switch (-rc) {
	case EPERM:
		hint("that takes root (CAP_NET_ADMIN), in a container, too");
		break;
	case EACCES:
		hint("IPv6 may be disabled there, or a security module forbids it: sysctl -a | grep disable_ipv6; dmesg");
		break;
	case EAFNOSUPPORT:
		hint("the kernel has no support for that kind of address: was it started with ipv6.disable=1?");
		break;
	case ENODEV:
	case ENXIO:
		hint("the device went away meanwhile, or isn't ready: is something else managing it (systemd-networkd, NetworkManager)?");
		break;
	case EBUSY:
		hint("something else holds it, such as a bond, a bridge or a namespace: ip -d link show %s",
		     name);
		break;
	case ENETDOWN:
		hint("the device under it is down: ip link show tells, and dmesg why");
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
		hint("the next hop isn't on the link as the kernel sees it: ip address show, and ip route get");
		break;
	case ERANGE:
	case EMSGSIZE:
		hint("the device, or the one under it, doesn't take that MTU: ip -d link show %s has minmtu and maxmtu",
		     name);
		break;
	case EADDRNOTAVAIL:
		hint("the device has no valid MAC address, or not that address: ip link show %s",
		     name);
		break;
	case ENOBUFS:
	case ENOMEM:
		hint("the kernel is short of memory, or a limit is reached (net.ipv6.route.max_size): dmesg tells");
		break;
	case ERFKILL:
		hint("a switch keeps it off: rfkill list");
		break;
	case EIO:
	case ETIMEDOUT:
		hint("its driver, or its hardware, fails: dmesg; ethtool %s",
		     name);
		break;
	}
}

int step_failed(struct up *u, int rc, const char *what, const char *name)
{
	err("can't %s %s: %s", what, name, nlc_strerror(&u->rt, rc));
	say_remedy(rc, name);
	return rc;
}

int step_interrupted(void)
{
	if (!signals_caught)
		return 0;
	err("interrupted");
	return -EINTR;
}
