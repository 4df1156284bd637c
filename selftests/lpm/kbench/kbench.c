// SPDX-License-Identifier: GPL-2.0
/*
 * The prefix table in the kernel: nanoseconds of a loop of lookups, and of the
 * same loop with none. In a VM whose clock counts instructions, that's those.
 *
 * insmod kbench.ko bits=32 routes=FILE keys=FILE,...
 * /sys/module/kbench/parameters/result: a line for each file of keys, of the
 * number of keys, nanoseconds with and without lookups, and the values' sum.
 */
#include <linux/fs.h>
#include <linux/kernel_read_file.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include "lpm-sources.h"
#include "kbench.h"

#define MAX_KEYS	8
#define RUNS		3

static unsigned int bits = 32;
module_param(bits, uint, 0444);
static char *routes;
module_param(routes, charp, 0444);
static char *keys[MAX_KEYS];
static unsigned int nr_keys;
module_param_array(keys, charp, &nr_keys, 0444);
static char result[1024];
module_param_string(result, result, sizeof(result), 0444);

typedef u64 loop_fn(const struct cni_lpm *lpm, const void *keys,
		    unsigned int n);

static noinline u64 none4(const struct cni_lpm *lpm, const void *keys,
			  unsigned int n)
{
	const __be32 *k = keys;
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < n; i++)
		sum += (__force u32)k[i];
	return sum;
}

static noinline u64 each4(const struct cni_lpm *lpm, const void *keys,
			  unsigned int n)
{
	const __be32 *k = keys;
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < n; i++)
		sum += cni_lpm_lookup4(lpm, k[i]);
	return sum;
}

/* The lookup itself loads the key. */
static noinline u64 none6(const struct cni_lpm *lpm, const void *keys,
			  unsigned int n)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < n; i++) {
		sum += i;
		barrier();
	}
	return sum;
}

static noinline u64 each6(const struct cni_lpm *lpm, const void *keys,
			  unsigned int n)
{
	const struct in6_addr *k = keys;
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < n; i++)
		sum += cni_lpm_lookup6(lpm, &k[i]);
	return sum;
}

/* The best of some runs with nothing in between. */
static u64 measure(loop_fn *fn, const struct cni_lpm *lpm, const void *keys,
		   unsigned int n, u64 *sum)
{
	u64 t, best = U64_MAX;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < RUNS; i++) {
		local_irq_save(flags);
		t = ktime_get_ns();
		*sum = fn(lpm, keys, n);
		t = ktime_get_ns() - t;
		local_irq_restore(flags);
		best = min(best, t);
	}
	return best;
}

static struct cni_lpm *load(const struct kbench_route *r, size_t n)
{
	struct cni_lpm *lpm = cni_lpm_alloc(bits, SIZE_MAX);
	struct cni_prefix p = {};
	int err = 0;
	size_t i;

	if (!lpm)
		return ERR_PTR(-ENOMEM);
	cni_lpm_bulk_begin(lpm);
	for (i = 0; i < n && !err; i++) {
		memcpy(p.bytes, r[i].addr, bits / 8);
		p.len = r[i].len;
		err = cni_lpm_set(lpm, &p, r[i].value);
	}
	if (!err)
		err = cni_lpm_bulk_end(lpm);
	if (!err)
		return lpm;
	cni_lpm_free(lpm);
	return ERR_PTR(err);
}

static int bench(const struct cni_lpm *lpm, const char *path)
{
	bool v4 = bits == 32;
	u64 with, without, sum;
	void *buf = NULL;
	size_t len;
	ssize_t got;

	got = kernel_read_file_from_path(path, 0, &buf, SIZE_MAX, NULL,
					 READING_UNKNOWN);
	if (got < 0)
		return got;
	got /= bits / 8;
	without = measure(v4 ? none4 : none6, lpm, buf, got, &sum);
	with = measure(v4 ? each4 : each6, lpm, buf, got, &sum);
	vfree(buf);
	len = strlen(result);
	scnprintf(result + len, sizeof(result) - len, "%zd %llu %llu %llu\n",
		  got, with, without, sum);
	return 0;
}

static int __init kbench_init(void)
{
	struct cni_lpm *lpm;
	void *buf = NULL;
	unsigned int i;
	ssize_t got;
	int err = 0;

	if (!routes || (bits != 32 && bits != 128))
		return -EINVAL;
	got = kernel_read_file_from_path(routes, 0, &buf, SIZE_MAX, NULL,
					 READING_UNKNOWN);
	if (got < 0)
		return got;
	lpm = load(buf, got / sizeof(struct kbench_route));
	vfree(buf);
	if (IS_ERR(lpm))
		return PTR_ERR(lpm);
	for (i = 0; i < nr_keys && !err; i++)
		err = bench(lpm, keys[i]);
	cni_lpm_free(lpm);
	return err;
}

static void __exit kbench_exit(void)
{
}

module_init(kbench_init);
module_exit(kbench_exit);
MODULE_DESCRIPTION("Measures the prefix table of cnilink");
MODULE_LICENSE("GPL");
