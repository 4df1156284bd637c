/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_FORMAT_H
#define CNICTL_FORMAT_H

#include <jansson.h>

#include "module/genl.h"

/* An object as JSON, and for a person on standard output. */
json_t *format_counts_json(const uint64_t *counts);
json_t *format_link_json(const struct cni_link *l);
json_t *format_tunnel_json(const struct cni_tunnel *t);
json_t *format_port_json(const struct cni_port *p);
json_t *format_status_json(const struct cni_status *s);
void format_link(const struct cni_link *l);
void format_tunnel(const struct cni_tunnel *t);
void format_port(const struct cni_port *p);
void format_status(const struct cni_status *s);

/*
 * Ways out of a route: a list of objects, and for a person " via A dev D", or
 * " nexthop via A dev D weight N" for each of several.
 */
json_t *format_hops_json(const struct khop *hops, unsigned int n);
void format_hops(const struct khop *hops, unsigned int n);

/* "VLAN 101", or "no VLAN": a static buffer, four deep. */
const char *format_vlan(uint16_t id, uint16_t proto);

/* What is wrong with a tunnel's MTU, and what to do; or NULL. Static. */
const char *format_mtu_problem(const struct cni_tunnel *t);

/* A MAC address: a static buffer, four deep; "unknown" when it is. */
const char *format_mac(const struct cni_mac *mac);

#endif
