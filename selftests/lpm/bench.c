// SPDX-License-Identifier: GPL-2.0
/*
 * The prefix table beside its peers: lookups, updates and memory. Rates are
 * the best of several runs; all of a table's rows come from the same run, so
 * that ratios hold even where the machine's speed doesn't.
 */
#include <ctype.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "kbench/kbench.h"

#ifdef HAVE_DPDK
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_lpm.h>
#include <rte_lpm6.h>
#include <rte_vect.h>
#endif

#define NR_KEYS		(1U << 19)
#define NR_FLOWS	20000
#define BULK		32
#define COLD_BATCH	64

struct route {
	struct cni_prefix p;
	u32 value;
};

struct table {
	const char *name;
	unsigned int bits;
	struct route *route;
	unsigned int nr;
};

static u64 seed;
static FILE *json;
static bool json_more;
static unsigned int runs = 5, cold_runs = 41;
static const char *only;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dULL >> 16;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static void *xalloc(size_t size)
{
	void *p = kvzalloc(size, 0);

	if (!p) {
		fprintf(stderr, "no memory\n");
		exit(1);
	}
	return p;
}

static void row(const char *bench, const char *name, const char *impl,
		double value, const char *unit)
{
	if (!json)
		return;
	fprintf(json, "%s\n{\"bench\":\"%s\",\"case\":\"%s\",\"impl\":\"%s\",",
		json_more ? "," : "", bench, name, impl);
	/* Numbers of bytes are exact. */
	fprintf(json, value < 1e15 && value == (u64)value ?
		"\"value\":%.0f," : "\"value\":%.6g,", value);
	fprintf(json, "\"unit\":\"%s\"}", unit);
	json_more = true;
}

/* Tables */

static int by_prefix(const void *a, const void *b)
{
	const struct route *x = a, *y = b;
	int d = memcmp(x->p.bytes, y->p.bytes, 16);

	return d ? d : x->p.len - y->p.len;
}

static void sort_unique(struct table *t)
{
	unsigned int i, n = 0;

	qsort(t->route, t->nr, sizeof(*t->route), by_prefix);
	for (i = 0; i < t->nr; i++)
		if (!n || by_prefix(&t->route[n - 1], &t->route[i]))
			t->route[n++] = t->route[i];
	t->nr = n;
}

/* As a table of routes has few next hops, and neighbours often differ. */
static u32 next_hop(void)
{
	return 1 + rnd() % KBENCH_VALUES;
}

static void add(struct table *t, const u8 *addr, unsigned int len)
{
	struct route *r = &t->route[t->nr++];

	memset(r, 0, sizeof(*r));
	memcpy(r->p.bytes, addr, t->bits / 8);
	r->p.len = len;
	r->value = next_hop();
	cni_prefix_mask(&r->p, t->bits);
}

static const char * const builtin[] = {
	"1.0.0.0/24", "1.1.1.0/24", "103.21.244.0/22", "103.22.200.0/22",
	"103.31.4.0/22", "104.16.0.0/13", "104.24.0.0/14", "108.162.192.0/18",
	"131.0.72.0/22", "141.101.64.0/18", "162.158.0.0/15", "172.64.0.0/13",
	"173.245.48.0/20", "188.114.96.0/20", "190.93.240.0/20",
	"197.234.240.0/22", "198.41.128.0/17", "2400:cb00::/32",
	"2405:8100::/32", "2405:b500::/32", "2606:4700::/32",
	"2803:f800::/32", "2a06:98c0::/29", "2c0f:f248::/32",
};

static void add_text(struct table *t, char *text)
{
	char *slash = strchr(text, '/');
	u8 addr[16] = {};

	if (!slash)
		return;
	*slash = 0;
	if (inet_pton(t->bits == 32 ? AF_INET : AF_INET6, text, addr) == 1)
		add(t, addr, atoi(slash + 1));
}

static bool real_data;

static void make_as13335(struct table *t)
{
	const char *dir = getenv("CNI_PREFIX_DATA");
	char path[4096], line[128];
	unsigned int i;
	FILE *f = NULL;

	t->route = xalloc(20000 * sizeof(*t->route));
	if (dir) {
		snprintf(path, sizeof(path), "%s/as13335-ipv%c.txt", dir,
			 t->bits == 32 ? '4' : '6');
		f = fopen(path, "r");
	}
	real_data = f;
	if (f) {
		while (fgets(line, sizeof(line), f))
			if (isxdigit(line[0]))
				add_text(t, line);
		fclose(f);
	} else {
		for (i = 0; i < sizeof(builtin) / sizeof(*builtin); i++) {
			snprintf(line, sizeof(line), "%s", builtin[i]);
			add_text(t, line);
		}
	}
	sort_unique(t);
}

/* Customers' own prefixes and traffic engineering inside the aggregates. */
static void make_more_specifics(struct table *t)
{
	unsigned int nr, i, len;
	struct route *base;
	u8 addr[16] = {};
	u32 a;

	make_as13335(t);
	nr = t->nr;
	base = xalloc(nr * sizeof(*base));
	memcpy(base, t->route, nr * sizeof(*base));
	for (i = 0; i < 1000000 && t->nr < 8000; i++) {
		struct route *r = &base[rnd() % nr];

		if (r->p.len >= 24)
			continue;
		len = rnd() % 2 ? 24 : r->p.len + 1 + rnd() %
				       (24 - r->p.len);
		a = be32_to_cpu(r->p.v4) | (u32)rnd() >> r->p.len;
		a = cpu_to_be32(a);
		memcpy(addr, &a, 4);
		add(t, addr, len);
		if (t->nr == 8000)
			sort_unique(t);
	}
	sort_unique(t);
	free(base);
}

/* Prefixes of each length in a full table of 2024, in tens for IPv4. */
static const unsigned short full4[33] = {
	[8] = 2, [9] = 1, [10] = 4, [11] = 10, [12] = 30, [13] = 59,
	[14] = 117, [15] = 210, [16] = 1380, [17] = 830, [18] = 1420,
	[19] = 2560, [20] = 4480, [21] = 5270, [22] = 11300, [23] = 10300,
	[24] = 61000, [25] = 20, [26] = 15, [27] = 10, [28] = 8, [29] = 10,
	[30] = 8, [31] = 1, [32] = 40,
};

static void make_full4(struct table *t)
{
	unsigned int len, tries, n, room = 1100000;
	u8 *seen = xalloc(1 << 23), addr[16] = {};
	u32 a, at, last = 0;

	t->route = xalloc(room * sizeof(*t->route));
	for (len = 8; len <= 32; len++) {
		n = full4[len] * 10;
		for (tries = 20 * n; n && tries; tries--) {
			/* Runs of neighbours, and parts of what is there. */
			switch (rnd() % 8) {
			case 0:
			case 1:
			case 2:
				a = last + (1U << (32 - len));
				break;
			case 3:
				a = rnd();
				break;
			default:
				a = rnd();
				if (len > 12 && t->nr) {
					struct route *r;

					r = &t->route[rnd() % t->nr];
					a = be32_to_cpu(r->p.v4) |
					    a >> r->p.len;
				}
			}
			if (a >> 24 < 1 || a >> 24 > 223 || a >> 24 == 127 ||
			    a >> 24 == 10)
				continue;
			last = a;
			at = len <= 24 ? 1U << len | a >> (32 - len) : 0;
			if (at && seen[at / 8] >> (at % 8) & 1)
				continue;
			seen[at / 8] |= 1 << (at % 8);
			a = cpu_to_be32(a);
			memcpy(addr, &a, 4);
			add(t, addr, len);
			n--;
		}
	}
	free(seen);
	sort_unique(t);
}

/* In thousandths. */
static const struct {
	unsigned char len;
	unsigned short share;
} full6[] = {
	{ 29, 28 }, { 30, 4 }, { 31, 3 }, { 32, 115 }, { 33, 14 }, { 34, 12 },
	{ 35, 7 }, { 36, 40 }, { 37, 5 }, { 38, 10 }, { 39, 6 }, { 40, 105 },
	{ 41, 5 }, { 42, 25 }, { 43, 5 }, { 44, 95 }, { 45, 12 }, { 46, 30 },
	{ 47, 24 }, { 48, 452 }, { 56, 1 }, { 64, 2 },
};

/* Registries hand out blocks in order, with room between to grow into. */
static void make_full6(struct table *t)
{
	static const u32 registry[] = {
		0x2a000000, 0x2a020000, 0x2a030000, 0x2a040000, 0x2a050000,
		0x2a060000, 0x2a070000, 0x2a090000, 0x2a0a0000, 0x2a0b0000,
		0x2a0c0000, 0x2a0d0000, 0x2a0e0000, 0x2a0f0000, 0x2a100000,
		0x2a110000, 0x2a120000, 0x24000000, 0x24010000, 0x24020000,
		0x24030000, 0x24040000, 0x24050000, 0x24060000, 0x24070000,
		0x24080000, 0x240a0000, 0x240e0000, 0x26000000, 0x26020000,
		0x26040000, 0x26050000, 0x26060000, 0x26070000, 0x26200000,
		0x28000000, 0x28010000, 0x28020000, 0x28030000, 0x28040000,
		0x28060000, 0x20010000, 0x2c0f0000,
	};
	unsigned int nr_reg = sizeof(registry) / sizeof(*registry);
	unsigned int n = 200000, nr_lir = 26000, i, j, k;
	u64 *lir = xalloc(nr_lir * sizeof(*lir)), a;
	u8 addr[16] = {};

	t->route = xalloc((n + n / 10) * sizeof(*t->route));
	for (i = 0; i < nr_lir; i++) {
		a = registry[rnd() % nr_reg];
		a += (rnd() % 1000) << 3 | (rnd() % 8 ? 0 : rnd() % 8);
		lir[i] = a << 32;
	}
	for (i = 0; i < n + n / 12; i++) {
		k = rnd() % 1000;
		for (j = 0; k >= full6[j].share; j++)
			k -= full6[j].share;
		/* A few have thousands of prefixes, most a handful. */
		k = rnd() % nr_lir;
		if (rnd() % 2)
			k = (u64)k * k / nr_lir * k / nr_lir / 8;
		a = lir[k];
		if (full6[j].len > 32) {
			/* The low ends of a block are used most. */
			u64 host = rnd() & 0xffff;

			if (rnd() % 2)
				host &= 0xf0ff >> (rnd() % 8);
			a |= host << 16;
		}
		if (full6[j].len > 48)
			a |= rnd() & 0xffff;
		a = __builtin_bswap64(a);
		memcpy(addr, &a, 8);
		add(t, addr, full6[j].len);
	}
	sort_unique(t);
	free(lir);
}

/* Keys */

static void random_bits(u8 *addr, unsigned int from, unsigned int bits)
{
	union {
		u64 w[2];
		u8 b[16];
	} r = { .w = { rnd() << 24 ^ rnd(), rnd() << 24 ^ rnd() } };
	unsigned int i;

	for (i = from / 8; i < bits / 8; i++) {
		u8 mask = i == from / 8 ? 0xff >> (from % 8) : 0xff;

		addr[i] = (addr[i] & ~mask) | (r.b[i] & mask);
	}
}

static void key_from(const struct table *t, const u8 *addr, union key *key)
{
	u32 a;

	if (t->bits == 32) {
		memcpy(&a, addr, 4);
		key->v4 = be32_to_cpu(a);
	} else {
		memcpy(&key->v6, addr, 16);
	}
}

static void key_in_prefix(const struct table *t, const struct route *r,
			  union key *key)
{
	u8 addr[16];

	memcpy(addr, r->p.bytes, 16);
	random_bits(addr, r->p.len, t->bits);
	key_from(t, addr, key);
}

/* Any address that is announced, all alike. */
static void keys_inside(const struct table *t, union key *keys, unsigned int n)
{
	double *sum = xalloc(t->nr * sizeof(*sum)), total = 0, x;
	unsigned int i, lo, hi;

	for (i = 0; i < t->nr; i++) {
		total += 1.0 / (1ULL << min_t(unsigned int, t->route[i].p.len,
					      63));
		sum[i] = total;
	}
	for (i = 0; i < n; i++) {
		x = (rnd() & 0xffffffffffULL) * total / 0xffffffffffULL;
		lo = 0;
		hi = t->nr - 1;
		while (lo < hi) {
			unsigned int mid = (lo + hi) / 2;

			if (sum[mid] < x)
				lo = mid + 1;
			else
				hi = mid;
		}
		key_in_prefix(t, &t->route[lo], &keys[i]);
	}
	free(sum);
}

/* Any prefix, all alike: what is often called announced keys. */
static void keys_prefixes(const struct table *t, union key *keys,
			  unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		key_in_prefix(t, &t->route[rnd() % t->nr], &keys[i]);
}

static void keys_uniform(const struct table *t, union key *keys,
			 unsigned int n)
{
	u8 addr[16] = {};
	unsigned int i;

	for (i = 0; i < n; i++) {
		random_bits(addr, 0, t->bits);
		if (t->bits == 128)
			addr[0] = 0x20 | (addr[0] & 0x1f);
		key_from(t, addr, &keys[i]);
	}
}

/* A flow's share of packets falls with its rank. */
static void keys_zipf(const struct table *t, union key *keys, unsigned int n)
{
	union key *flow = xalloc(NR_FLOWS * sizeof(*flow));
	double *sum = xalloc(NR_FLOWS * sizeof(*sum)), total = 0, x;
	unsigned int i, lo, hi;

	keys_prefixes(t, flow, NR_FLOWS);
	for (i = 0; i < NR_FLOWS; i++) {
		total += 1.0 / (i + 1);
		sum[i] = total;
	}
	for (i = 0; i < n; i++) {
		x = (rnd() & 0xffffffffffULL) * total / 0xffffffffffULL;
		lo = 0;
		hi = NR_FLOWS - 1;
		while (lo < hi) {
			unsigned int mid = (lo + hi) / 2;

			if (sum[mid] < x)
				lo = mid + 1;
			else
				hi = mid;
		}
		keys[i] = flow[lo];
	}
	free(flow);
	free(sum);
}

/* Implementations: each lookup inlined into each loop */

#ifdef HAVE_DPDK
static __always_inline u32 lpm4(const void *ctx, u32 key)
{
	u32 r = 0;

	rte_lpm_lookup((struct rte_lpm *)ctx, key, &r);
	return r;
}

static __always_inline u32 fib4(const void *ctx, u32 key)
{
	u64 r;

	rte_fib_lookup_bulk((struct rte_fib *)ctx, &key, &r, 1);
	return r;
}

static __always_inline u32 lpm6(const void *ctx, const struct in6_addr *key)
{
	u32 r = 0;

	rte_lpm6_lookup(ctx, key->s6_addr, &r);
	return r;
}

static __always_inline u32 fib6(const void *ctx, const struct in6_addr *key)
{
	u8 k[1][RTE_FIB6_IPV6_ADDR_SIZE];
	u64 r;

	memcpy(k, key, sizeof(k));
	rte_fib6_lookup_bulk((struct rte_fib6 *)ctx, k, &r, 1);
	return r;
}

LOOPS4(lpm4, lpm4)
LOOPS4(fib4, fib4)
LOOPS6(lpm6, lpm6)
LOOPS6(fib6, fib6)

static u64 lpm4_bulk(const void *ctx, const union key *keys, unsigned int n,
		     u32 zero)
{
	const u32 *k = (const u32 *)keys;
	u64 sum = zero;
	u32 r[BULK];
	unsigned int i, j;

	for (i = 0; i + BULK <= n; i += BULK) {
		rte_lpm_lookup_bulk((struct rte_lpm *)ctx, k + i, r, BULK);
		for (j = 0; j < BULK; j++)
			if (r[j] & RTE_LPM_LOOKUP_SUCCESS)
				sum += r[j] & 0xffffff;
	}
	return sum;
}

static u64 fib4_bulk(const void *ctx, const union key *keys, unsigned int n,
		     u32 zero)
{
	const u32 *k = (const u32 *)keys;
	u64 sum = zero, r[BULK];
	unsigned int i, j;

	for (i = 0; i + BULK <= n; i += BULK) {
		rte_fib_lookup_bulk((struct rte_fib *)ctx, (u32 *)k + i, r,
				    BULK);
		for (j = 0; j < BULK; j++)
			sum += r[j];
	}
	return sum;
}

static u64 lpm6_bulk(const void *ctx, const union key *keys, unsigned int n,
		     u32 zero)
{
	u64 sum = zero;
	int r[BULK];
	unsigned int i, j;

	for (i = 0; i + BULK <= n; i += BULK) {
		rte_lpm6_lookup_bulk_func(ctx, (void *)&keys[i], r, BULK);
		for (j = 0; j < BULK; j++)
			if (r[j] > 0)
				sum += r[j];
	}
	return sum;
}

static u64 fib6_bulk(const void *ctx, const union key *keys, unsigned int n,
		     u32 zero)
{
	u64 sum = zero, r[BULK];
	unsigned int i, j;

	for (i = 0; i + BULK <= n; i += BULK) {
		rte_fib6_lookup_bulk((struct rte_fib6 *)ctx, (void *)&keys[i],
				     r, BULK);
		for (j = 0; j < BULK; j++)
			sum += r[j];
	}
	return sum;
}
#endif

struct impl {
	const char *name;
	const void *ctx;
	loop_fn *each;
	loop_fn *chain;
	loop_fn *bulk;
};

/* Measure */

static volatile u32 zero_source;
static volatile u64 sink;
static u8 *evict_buf;
static size_t evict_bytes;

static void evict(void)
{
	size_t i;
	u64 sum = 0;

	for (i = 0; i < evict_bytes; i += 64)
		sum += evict_buf[i]++;
	sink = sum;
}

static double warm_ns(const struct impl *im, loop_fn *fn,
		      const union key *keys, u64 *sum)
{
	double t = now();

	*sum = fn(im->ctx, keys, NR_KEYS, zero_source);
	return (now() - t) * 1e9 / NR_KEYS;
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The median of batches that find nothing but their keys in the caches. */
static double cold_ns(const struct impl *im, loop_fn *fn,
		      const union key *keys, unsigned int bits)
{
	double t, all[256];
	union key batch[COLD_BATCH];
	size_t size = bits / 8;
	unsigned int i;

	for (i = 0; i < cold_runs; i++) {
		evict();
		memcpy(batch, (const u8 *)keys + i * COLD_BATCH * size,
		       COLD_BATCH * size);
		/* Code and clock should be warm. */
		sink = fn(im->ctx, batch, 0, zero_source) + now();
		t = now();
		sink = fn(im->ctx, batch, COLD_BATCH, zero_source);
		all[i] = now() - t;
	}
	qsort(all, cold_runs, sizeof(*all), by_double);
	return all[cold_runs / 2] * 1e9 / COLD_BATCH;
}

typedef void keys_fn(const struct table *t, union key *keys, unsigned int n);

static const struct {
	const char *name;
	keys_fn *fn;
	bool cold;
} mixes[] = {
	{ "inside", keys_inside, true },
	{ "prefixes", keys_prefixes, true },
	{ "uniform", keys_uniform, true },
	{ "zipf20k", keys_zipf, false },
};

#define NR_MODES	5

static void run_modes(const struct table *t, const struct impl *im,
		      const union key *keys, bool cold, double *ns, u64 *want)
{
	loop_fn *fns[NR_MODES] = {
		im->each, im->chain, im->each, im->chain, im->bulk,
	};
	unsigned int mode;
	double one;
	u64 sum;

	for (mode = 0; mode < NR_MODES; mode++) {
		if (!fns[mode])
			continue;
		if (mode == 2 || mode == 3) {
			if (cold)
				ns[mode] = cold_ns(im, fns[mode], keys,
						   t->bits);
			continue;
		}
		one = warm_ns(im, fns[mode], keys, &sum);
		if (!ns[mode] || one < ns[mode])
			ns[mode] = one;
		if (!*want)
			*want = sum;
		if (sum != *want)
			printf("# %s differs: %llu, not %llu\n", im->name,
			       (unsigned long long)sum,
			       (unsigned long long)*want);
	}
}

static void measure(const struct table *t, const struct impl *impl,
		    unsigned int nr_impl)
{
	unsigned int m, i, r, mode;
	union key *keys = xalloc((NR_KEYS + 1) * sizeof(*keys)), one;
	char name[96];
	static const char * const modes[] = {
		"one by one", "dependent", "cold", "cold dependent", "bulk 32",
	};

	for (m = 0; m < sizeof(mixes) / sizeof(*mixes); m++) {
		double best[NR_MODES] = { 1e9, 1e9, 1e9, 1e9, 1e9 };
		double ns[8][NR_MODES] = {};
		u64 want = 0;

		seed = 4242 + m;
		mixes[m].fn(t, keys, NR_KEYS);
		/* IPv4 keys are packed, as the loops expect. */
		if (t->bits == 32)
			for (i = 0; i < NR_KEYS; i++) {
				one = keys[i];
				((u32 *)keys)[i] = one.v4;
			}
		/* In turns, so that all get the machine's better moments. */
		for (r = 0; r < runs; r++)
			for (i = 0; i < nr_impl; i++)
				run_modes(t, &impl[i], keys, !r &&
					  mixes[m].cold, ns[i], &want);
		for (i = 0; i < nr_impl; i++)
			for (mode = 0; mode < NR_MODES; mode++)
				if (ns[i][mode] && ns[i][mode] < best[mode])
					best[mode] = ns[i][mode];
		printf("\n%s, keys: %s\n%-12s", t->name, mixes[m].name,
		       "ns/lookup");
		for (mode = 0; mode < NR_MODES; mode++)
			printf(" %15s", modes[mode]);
		printf("  M/s one by one\n");
		for (i = 0; i < nr_impl; i++) {
			printf("%-12s", impl[i].name);
			for (mode = 0; mode < NR_MODES; mode++) {
				if (!ns[i][mode]) {
					printf(" %15s", "-");
					continue;
				}
				printf(" %14.2f%c", ns[i][mode],
				       ns[i][mode] == best[mode] ? '*' : ' ');
				snprintf(name, sizeof(name), "%s, %s, %s",
					 t->name, mixes[m].name, modes[mode]);
				row("lpm", name, impl[i].name, ns[i][mode],
				    "ns/lookup");
			}
			printf("  %8.0f\n", 1e3 / ns[i][0]);
		}
		fflush(stdout);
	}
	free(keys);
}

/* Updates */

static struct cni_lpm *load(const struct table *t, bool bulk)
{
	struct cni_lpm *lpm = cni_lpm_alloc(t->bits, SIZE_MAX);
	unsigned int i;

	if (!lpm)
		exit(1);
	if (bulk)
		cni_lpm_bulk_begin(lpm);
	for (i = 0; i < t->nr; i++)
		if (cni_lpm_set(lpm, &t->route[i].p, t->route[i].value))
			exit(1);
	if (bulk && cni_lpm_bulk_end(lpm))
		exit(1);
	return lpm;
}

static void updates(const struct table *t)
{
	unsigned int n = 100000, i, j;
	double *each = xalloc(n * sizeof(*each)), s, t0;
	size_t bulk_bytes, lookup_bytes, bytes, fresh;
	struct cni_lpm *lpm, *other;
	u8 *gone = xalloc(t->nr);

	seed = 777;
	t0 = now();
	lpm = load(t, true);
	s = now() - t0;
	bulk_bytes = cni_lpm_bytes(lpm);
	lookup_bytes = lpm->mem->words * 4;
	printf("\n%s: %u prefixes, load %.1f ms", t->name, t->nr, s * 1e3);
	row("update", t->name, "cnilink load", s * 1e3, "ms");

	t0 = now();
	other = load(t, false);
	s = now() - t0;
	printf(", one by one %.1f ms", s * 1e3);
	row("update", t->name, "cnilink load one by one", s * 1e3, "ms");
	cni_lpm_free(other);

	/* Withdraw, announce again, or move to another next hop. */
	for (i = 0; i < n; i++) {
		struct route *r = &t->route[j = rnd() % t->nr];
		u32 value = next_hop();

		t0 = now();
		if (gone[j] || rnd() % 3 == 0) {
			cni_lpm_set(lpm, &r->p, value);
			gone[j] = 0;
		} else {
			cni_lpm_del(lpm, &r->p);
			gone[j] = 1;
		}
		each[i] = now() - t0;
		if (i % 1000 == 0)
			cni_user_gp += 2;
	}
	qsort(each, n, sizeof(*each), by_double);
	printf(", update median %.2f us, p99 %.1f us, max %.0f us\n",
	       each[n / 2] * 1e6, each[n / 100 * 99] * 1e6,
	       each[n - 1] * 1e6);
	row("update", t->name, "cnilink median", each[n / 2] * 1e6, "us");
	row("update", t->name, "cnilink p99", each[n / 100 * 99] * 1e6, "us");
	/* Let the dust settle. */
	for (i = 0; i < 3; i++) {
		cni_user_gp += 2;
		cni_lpm_set(lpm, &t->route[0].p, 1 + i);
	}
	bytes = cni_lpm_bytes(lpm);

	/* What remains, built anew. */
	other = cni_lpm_alloc(t->bits, SIZE_MAX);
	cni_lpm_bulk_begin(other);
	for (i = 0; i < t->nr; i++) {
		u32 v = cni_lpm_get(lpm, &t->route[i].p);

		if (v)
			cni_lpm_set(other, &t->route[i].p, v);
	}
	cni_lpm_bulk_end(other);
	fresh = cni_lpm_bytes(other);
	printf("%s: %zu KB, %zu KB of it for lookups, %.1f B/prefix",
	       t->name, bulk_bytes >> 10, lookup_bytes >> 10,
	       (double)bulk_bytes / t->nr);
	printf("; after %u updates %+.1f %% of a fresh build\n", n,
	       100.0 * ((double)bytes / fresh - 1));
	row("update", t->name, "cnilink memory", bulk_bytes, "bytes");
	row("update", t->name, "cnilink memory for lookups", lookup_bytes,
	    "bytes");
	row("update", t->name, "cnilink memory after 100k updates",
	    100.0 * bytes / fresh, "% of a fresh build");
	cni_lpm_free(lpm);
	cni_lpm_free(other);
	free(each);
	free(gone);
}

/* Export */

static FILE *create(const char *dir, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

static void put_file(FILE *f, const void *data, size_t size, unsigned int n)
{
	if (fwrite(data, size, n, f) != n || fclose(f)) {
		perror("export");
		exit(1);
	}
}

/* One mix of keys, and the sum of the values that lookups should find. */
static u64 export_keys(const struct table *t, unsigned int m,
		       const struct cni_lpm *lpm, FILE *f)
{
	union key *keys = xalloc((NR_KEYS + 1) * sizeof(*keys));
	u8 *packed = xalloc(KBENCH_KEYS * sizeof(*keys));
	size_t size = t->bits / 8;
	unsigned int i;
	u64 sum;

	/* The first of those that are measured in user space. */
	seed = 4242 + m;
	mixes[m].fn(t, keys, NR_KEYS);
	for (i = 0; i < KBENCH_KEYS; i++) {
		u32 v4 = keys[i].v4;

		if (t->bits == 32) {
			((u32 *)keys)[i] = v4;
			v4 = cpu_to_be32(v4);
			memcpy(packed + i * size, &v4, size);
		} else {
			memcpy(packed + i * size, &keys[i].v6, size);
		}
	}
	sum = (t->bits == 32 ? cni4_each : cni6_each)(lpm, keys, KBENCH_KEYS,
						      zero_source);
	put_file(f, packed, size, KBENCH_KEYS);
	free(packed);
	free(keys);
	return sum;
}

static void export_table(const struct table *t, const char *dir, FILE *index)
{
	struct kbench_route *out = xalloc(t->nr * sizeof(*out));
	struct cni_lpm *lpm = load(t, true);
	char stem[64], file[128];
	unsigned int i;
	u64 sum;

	/* A name that can be a module's parameter. */
	snprintf(stem, sizeof(stem), "%s", t->name);
	for (i = 0; stem[i]; i++)
		if (stem[i] == ' ')
			stem[i] = '-';
	for (i = 0; i < t->nr; i++) {
		memcpy(out[i].addr, t->route[i].p.bytes, 16);
		out[i].len = t->route[i].p.len;
		out[i].value = t->route[i].value;
	}
	snprintf(file, sizeof(file), "%s.routes", stem);
	put_file(create(dir, file), out, sizeof(*out), t->nr);
	free(out);
	fprintf(index, "{\"name\":\"%s\",\"stem\":\"%s\",\"bits\":%u,", t->name,
		stem, t->bits);
	fprintf(index, "\"nr\":%u,\"sums\":{", t->nr);
	for (i = 0; i < sizeof(mixes) / sizeof(*mixes); i++) {
		snprintf(file, sizeof(file), "%s.%s.keys", stem,
			 mixes[i].name);
		sum = export_keys(t, i, lpm, create(dir, file));
		fprintf(index, "%s\"%s\":%llu", i ? "," : "", mixes[i].name,
			(unsigned long long)sum);
	}
	fputs("}}", index);
	cni_lpm_free(lpm);
}

/* Peers */

#ifdef HAVE_DPDK
static char old_hugepages[32];

static void put_hugepages(const char *text)
{
	FILE *f = fopen("/proc/sys/vm/nr_hugepages", "w");

	if (!f)
		return;
	fputs(text, f);
	fclose(f);
}

/* The peers are used to huge pages: let them have some. */
static bool eal(void)
{
	char *huge[] = { "bench", "--in-memory", "--no-pci", "--no-telemetry",
			 "-l", "0", "--log-level=3", "-m", "2048",
			 "--force-max-simd-bitwidth=512", NULL };
	char *none[] = { "bench", "--in-memory", "--no-pci", "--no-telemetry",
			 "-l", "0", "--log-level=3", "-m", "2048", "--no-huge",
			 "--force-max-simd-bitwidth=512", NULL };
	FILE *f = fopen("/proc/sys/vm/nr_hugepages", "r");
	unsigned int got = 0;
	bool ok;

	if (f && fgets(old_hugepages, sizeof(old_hugepages), f)) {
		fclose(f);
		put_hugepages("1100");
		f = fopen("/proc/sys/vm/nr_hugepages", "r");
		if (f && fscanf(f, "%u", &got) != 1)
			got = 0;
	}
	if (f)
		fclose(f);
	printf("# DPDK on %s pages\n", got >= 1050 ? "huge" : "small");
	ok = (got >= 1050 ? rte_eal_init(10, huge) :
			    rte_eal_init(11, none)) >= 0;
	/* They are taken by now, and go when they are given back. */
	if (old_hugepages[0])
		put_hugepages(old_hugepages);
	return ok;
}

/*
 * rte_lpm_add() looks through all rules of a length and takes minutes for a
 * full table, so fill the tables as it would.
 */
static struct rte_lpm *make_lpm4(const struct table *t)
{
	struct rte_lpm_config config = {
		.max_rules = 1024, .number_tbl8s = 65536,
	};
	struct rte_lpm *lpm = rte_lpm_create("lpm4", SOCKET_ID_ANY, &config);
	u32 i, j, a, n, tbl8 = 0;

	if (!lpm)
		return NULL;
	for (i = 0; i < t->nr; i++) {
		const struct route *r = &t->route[i];
		struct rte_lpm_tbl_entry e = {
			.next_hop = r->value, .valid = 1, .valid_group = 0,
			.depth = r->p.len,
		};

		a = be32_to_cpu(r->p.v4);
		if (r->p.len <= 24) {
			n = 1U << (24 - r->p.len);
			for (j = 0; j < n; j++)
				lpm->tbl24[(a >> 8) + j] = e;
			continue;
		}
		if (!lpm->tbl24[a >> 8].valid_group) {
			struct rte_lpm_tbl_entry old = lpm->tbl24[a >> 8];

			for (j = 0; j < 256; j++)
				lpm->tbl8[tbl8 * 256 + j] = old;
			lpm->tbl24[a >> 8].valid = 1;
			lpm->tbl24[a >> 8].valid_group = 1;
			lpm->tbl24[a >> 8].next_hop = tbl8++;
		}
		e.valid_group = 1;
		n = lpm->tbl24[a >> 8].next_hop * 256;
		for (j = 0; j < 1U << (32 - r->p.len); j++)
			lpm->tbl8[n + (a & 255) + j] = e;
	}
	return lpm;
}

static struct rte_fib *make_fib4(const struct table *t)
{
	struct rte_fib_conf conf = {
		.type = RTE_FIB_DIR24_8, .max_routes = 1 << 21,
		.dir24_8 = { .nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = 65535 },
	};
	struct rte_fib *fib = rte_fib_create("fib4", SOCKET_ID_ANY, &conf);
	unsigned int i;

	for (i = 0; fib && i < t->nr; i++)
		if (rte_fib_add(fib, be32_to_cpu(t->route[i].p.v4),
				t->route[i].p.len, t->route[i].value))
			return NULL;
	return fib;
}

static struct rte_lpm6 *make_lpm6(const struct table *t)
{
	struct rte_lpm6_config config = {
		.max_rules = 1 << 19, .number_tbl8s = 1 << 18,
	};
	struct rte_lpm6 *lpm = rte_lpm6_create("lpm6", SOCKET_ID_ANY, &config);
	unsigned int i;

	for (i = 0; lpm && i < t->nr; i++)
		if (rte_lpm6_add(lpm, t->route[i].p.bytes, t->route[i].p.len,
				 t->route[i].value))
			return NULL;
	return lpm;
}

static struct rte_fib6 *make_fib6(const struct table *t)
{
	struct rte_fib6_conf conf = {
		.type = RTE_FIB6_TRIE, .max_routes = 1 << 19,
		.trie = { .nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = 1 << 18 },
	};
	struct rte_fib6 *fib = rte_fib6_create("fib6", SOCKET_ID_ANY, &conf);
	unsigned int i;

	for (i = 0; fib && i < t->nr; i++)
		if (rte_fib6_add(fib, t->route[i].p.bytes, t->route[i].p.len,
				 t->route[i].value))
			return NULL;
	return fib;
}
#endif

static void bench(struct table *t)
{
	struct cni_lpm *lpm = load(t, true);
	struct impl impl[8] = {};
	unsigned int n = 0;
	bool v4 = t->bits == 32;

	impl[n++] = v4 ? (struct impl){ "cnilink", lpm, cni4_each, cni4_chain,
					NULL }
		       : (struct impl){ "cnilink", lpm, cni6_each, cni6_chain,
					NULL };
#ifdef HAVE_DPDK
	struct rte_lpm *l4 = v4 ? make_lpm4(t) : NULL;
	struct rte_fib *f4 = v4 ? make_fib4(t) : NULL;
	struct rte_lpm6 *l6 = v4 ? NULL : make_lpm6(t);
	struct rte_fib6 *f6 = v4 ? NULL : make_fib6(t);

	if (l4)
		impl[n++] = (struct impl){ "rte_lpm", l4, lpm4_each,
					   lpm4_chain, lpm4_bulk };
	if (f4)
		impl[n++] = (struct impl){ "rte_fib", f4, fib4_each,
					   fib4_chain, fib4_bulk };
	if (l6)
		impl[n++] = (struct impl){ "rte_lpm6", l6, lpm6_each,
					   lpm6_chain, lpm6_bulk };
	if (f6)
		impl[n++] = (struct impl){ "rte_fib6", f6, fib6_each,
					   fib6_chain, fib6_bulk };
#endif
	measure(t, impl, n);
	updates(t);
	cni_lpm_free(lpm);
#ifdef HAVE_DPDK
	if (l4)
		rte_lpm_free(l4);
	if (f4)
		rte_fib_free(f4);
	if (l6)
		rte_lpm6_free(l6);
	if (f6)
		rte_fib6_free(f6);
#endif
}

static size_t l3_bytes(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "r");
	unsigned int kb = 32768;

	if (f) {
		if (fscanf(f, "%uK", &kb) != 1)
			kb = 32768;
		fclose(f);
	}
	return (size_t)kb << 10;
}

static void prepare(void)
{
	evict_bytes = 2 * l3_bytes();
	evict_buf = xalloc(evict_bytes);
#ifdef HAVE_DPDK
	if (!eal())
		fprintf(stderr, "no DPDK: %s\n", rte_strerror(rte_errno));
#endif
}

int main(int argc, char **argv)
{
	static struct {
		struct table t;
		void (*make)(struct table *t);
	} tables[] = {
		{ { "as13335 v4", 32, NULL, 0 }, make_as13335 },
		{ { "as13335 v4 8k", 32, NULL, 0 }, make_more_specifics },
		{ { "full v4 1M", 32, NULL, 0 }, make_full4 },
		{ { "as13335 v6", 128, NULL, 0 }, make_as13335 },
		{ { "full v6 200k", 128, NULL, 0 }, make_full6 },
	};
	const char *export = NULL;
	FILE *index = NULL;
	unsigned int i, n = 0;
	int opt;

	while ((opt = getopt(argc, argv, "o:t:r:c:x:")) != -1) {
		switch (opt) {
		case 'o':
			json = fopen(optarg, "w");
			break;
		case 't':
			only = optarg;
			break;
		case 'r':
			runs = atoi(optarg);
			break;
		case 'c':
			cold_runs = min_t(unsigned int, atoi(optarg), 256);
			break;
		case 'x':
			export = optarg;
			break;
		default:
			fprintf(stderr,
				"usage: bench [-o JSON] [-t TABLE] [-r RUNS] [-c COLD-RUNS]\n"
				"       bench -x DIR [-t TABLE]    tables and keys as files\n");
			return 2;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (export) {
		index = create(export, "index.json");
		fputc('[', index);
	} else {
		prepare();
	}
	if (json)
		fputc('[', json);
	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		struct table *t = &tables[i].t;

		if (only && !strstr(t->name, only))
			continue;
		seed = 88172645463325252ULL;
		tables[i].make(t);
		if (index) {
			fputs(n++ ? ",\n" : "\n", index);
			export_table(t, export, index);
		} else {
			bench(t);
		}
		free(t->route);
	}
	if (index) {
		fputs("\n]\n", index);
		fclose(index);
	}
	if (json) {
		fputs("\n]\n", json);
		fclose(json);
	}
	return 0;
}
