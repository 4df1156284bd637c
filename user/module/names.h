/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_NAMES_H
#define CNICTL_NAMES_H

#include <stdint.h>
#include <jansson.h>

/* An enumerator of the YAML: its value there, its name, and what it means. */
struct name {
	uint64_t value;
	const char *name;
	const char *doc;
};

extern const struct name reason_names[], blocker_names[], port_flag_names[];
extern const struct name action_names[], command_names[], xdp_names[];
extern const struct name tunnel_flag_names[];
extern const unsigned int n_reason_names, n_blocker_names, n_port_flag_names;
extern const unsigned int n_action_names, n_command_names, n_xdp_names;
extern const unsigned int n_tunnel_flag_names;

/* Name and meaning of a reason; a newer module's unknown ones get a number. */
const char *names_reason(uint32_t reason);
const char *names_reason_doc(uint32_t reason);
/*
 * The same for somebody who reads it of packets to @dev, the device of the way
 * out, or NULL where that isn't known. A static buffer.
 */
const char *names_reason_advice(uint32_t reason, const char *dev);
/* The same of a tunnel's outer packets. */
const char *names_outer_advice(uint32_t reason);
const char *names_command(uint8_t cmd);

/*
 * What keeps the object of device @dev from being offloaded, for one bit of
 * the blockers, and what to do about it: a sentence in a static buffer.
 */
const char *names_blocker_advice(uint64_t bit, const char *dev);

/*
 * Flags of a table that is named above. The words NAME and on or off change
 * @flags: NULL, or what is wrong with them: a static buffer. @value can be NULL.
 */
const char *names_flag_parse(const struct name *names, unsigned int n,
			     uint32_t *flags, const char *name,
			     const char *value);
/* The names of those that are set, as a JSON array of strings. */
json_t *names_flags_json(const struct name *names, unsigned int n,
			 uint32_t flags);

/* Whether XDP programs can call the module (CNILINK_XDP_): its name. */
const char *names_xdp(int state);

/* The same in a sentence: if they can't, why, and what to do about it. */
const char *names_xdp_advice(int state);

/* The names of the bits that are set, as a JSON array of strings. */
json_t *names_blockers_json(uint64_t blockers);

/* The same, with ", " between; a static buffer. */
const char *names_blockers(uint64_t blockers);

#endif
