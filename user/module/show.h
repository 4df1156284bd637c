/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_SHOW_H
#define CNICTL_SHOW_H

#include "module/sample.h"

/* An object as JSON, and for a person on standard output. */
json_t *counts_json(const uint64_t *counts);
json_t *link_json(const struct cni_link *l);
json_t *tunnel_json(const struct cni_tunnel *t);
json_t *port_json(const struct cni_port *p);
json_t *status_json(const struct cni_status *s);
/* All of it, as "cnictl -j show" prints it. */
json_t *sample_json(struct sample *s);
void link_print(const struct cni_link *l);
void tunnel_print(const struct cni_tunnel *t);
void port_print(const struct cni_port *p);

/*
 * Ways out of a route: a list of objects, and for a person " via A dev D", or
 * " nexthop via A dev D weight N" for each of several.
 */
json_t *hops_json(const struct khop *hops, unsigned int n);
void hops_print(const struct khop *hops, unsigned int n);

/* "VLAN 101", or "no VLAN": a static buffer, four deep. */
const char *vlan_str(uint16_t id, uint16_t proto);

/* What is wrong with a tunnel's MTU, and what to do; or NULL. Static. */
const char *tunnel_mtu_problem(const struct cni_tunnel *t);

/* A MAC address: a static buffer, four deep; "unknown" when it is. */
const char *mac_str(const struct cni_mac *mac);

/*
 * Prints the objects of a kind. @only: ifindex of the one to print, or 0.
 * These return RC_*, with the reason printed.
 */
int show_links(struct cni *c, uint32_t only);
int show_tunnels(struct cni *c, uint32_t only);
int show_ports(struct cni *c, uint32_t only);
int show_routes(struct cni *c);

#endif
