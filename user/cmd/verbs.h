/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_VERBS_H
#define CNICTL_VERBS_H

/*
 * Each verb gets its arguments from its own name on and returns what the
 * program exits with: RC_*.
 */
int verb_init(int argc, char **argv);
int verb_up(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_down(int argc, char **argv);
int verb_save(int argc, char **argv);
int verb_show(int argc, char **argv);
int verb_link(int argc, char **argv);
int verb_tunnel(int argc, char **argv);
int verb_port(int argc, char **argv);
int verb_route(int argc, char **argv);
int verb_sync(int argc, char **argv);
int verb_bgp_config(int argc, char **argv);
int verb_monitor(int argc, char **argv);
int verb_ping(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_support_bundle(int argc, char **argv);
int verb_metrics(int argc, char **argv);
int verb_xdp(int argc, char **argv);
int verb_version(int argc, char **argv);

#endif
