/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_ADDR_H
#define CNICTL_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* An address, or a prefix: b in network byte order. */
struct addr {
	uint8_t family;		/* AF_INET, AF_INET6, or 0 when absent */
	uint8_t len;		/* prefix length in bits */
	uint8_t b[16];
};

enum addr_error {
	ADDR_OK = 0,
	ADDR_BAD,		/* not an address */
	ADDR_NO_LEN,		/* an address, but the "/LEN" is missing */
	ADDR_BAD_LEN,		/* length isn't a number in range */
	ADDR_EXTRA_LEN,		/* "/LEN" where a bare address is wanted */
};

/* "ADDR/LEN". */
enum addr_error addr_parse_prefix(const char *s, struct addr *a);

/* "ADDR"; len becomes that of one host. */
enum addr_error addr_parse(const char *s, struct addr *a);

/* "ADDR/LEN", "ADDR" (one host), or "default" for family @family. */
enum addr_error addr_parse_route(const char *s, int family, struct addr *a);

/* What is wrong, as the end of a sentence that begins with the string. */
const char *addr_strerror(enum addr_error e);

/* Without and with "/LEN": a static buffer, eight deep. */
const char *addr_str(const struct addr *a);
const char *addr_prefix_str(const struct addr *a);

unsigned int addr_bytes(const struct addr *a);		/* 4, 16 or 0 */
unsigned int addr_bits(const struct addr *a);		/* 32, 128 or 0 */
bool addr_same(const struct addr *a, const struct addr *b); /* not the len */
/* For qsort() and bsearch() of prefixes: by family, then bytes, then length. */
int addr_cmp(const void *a, const void *b);

/* The prefix that @a is in: host bits cleared. */
struct addr addr_network(const struct addr *a);
bool addr_covers(const struct addr *net, const struct addr *a);

/*
 * The other end of a link that @a is one end of: of a /31 or /127, or of the two
 * host addresses of a /30 or /126. It makes no pair with @a where there is none.
 */
struct addr addr_other(const struct addr *a);

struct addr addr_from4(uint32_t be, unsigned int len);
struct addr addr_from6(const void *b, unsigned int len);
uint32_t addr_be32(const struct addr *a);

/*
 * Why two addresses with their lengths can't be the ends of a point-to-point
 * link, or NULL when they can. The reason ends a sentence.
 */
const char *addr_pair_problem(const struct addr *a, const struct addr *b);

/* Why @a can't be an address of a link's end, or NULL. */
const char *addr_host_problem(const struct addr *a);

#endif
