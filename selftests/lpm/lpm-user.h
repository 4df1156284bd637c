/* SPDX-License-Identifier: GPL-2.0 */
/* What lpm.c needs of the kernel, for tests and benchmarks in user space. */
#ifndef _CNI_LPM_USER_H
#define _CNI_LPM_USER_H

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef uint32_t __be32;
typedef unsigned long long __be64;

#define __rcu
#define U32_MAX			0xffffffffU
#ifndef __always_inline
#define __always_inline		inline __attribute__((__always_inline__))
#endif
#define ____cacheline_aligned	__attribute__((__aligned__(64)))
#define DECLARE_FLEX_ARRAY(t, n)	struct { struct { } _e_##n; t n[]; }
#define prefetch(p)		__builtin_prefetch(p)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define likely(x)		__builtin_expect(!!(x), 1)
#define OPTIMIZER_HIDE_VAR(v)	__asm__("" : "=r"(v) : "0"(v))
#define data_race(x)		(x)
#define BUILD_BUG_ON(x)		_Static_assert(!(x), #x)
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define be32_to_cpu(x)		ntohl(x)
#define cpu_to_be32(x)		htonl(x)
#define be64_to_cpu(x)		be64toh(x)
#define hweight64(x)		((unsigned int)__builtin_popcountll(x))
#define min_t(t, a, b)		({ t _a = (a), _b = (b); _a < _b ? _a : _b; })
#define max_t(t, a, b)		({ t _a = (a), _b = (b); _a > _b ? _a : _b; })
#define sizeof_field(t, m)	sizeof(((t *)0)->m)
#define DIV_ROUND_UP(a, b)	(((a) + (b) - 1) / (b))
#define container_of(p, t, m)	((t *)((char *)(p) - offsetof(t, m)))
#define struct_size(p, m, n)	\
	(offsetof(__typeof__(*(p)), m) + sizeof((p)->m[0]) * (n))

static inline unsigned int __ffs64(u64 x)
{
	return __builtin_ctzll(x);
}

static inline unsigned int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

/*
 * A test sets cni_user_fail to n to see the n-th allocation from then fail; or
 * to -n to see that and all after it fail.
 */
extern long cni_user_fail __attribute__((__weak__));
long cni_user_fail;

static inline bool cni_user_fails(void)
{
	if (cni_user_fail < -1)
		return !++cni_user_fail;
	return cni_user_fail == -1 || (cni_user_fail && !--cni_user_fail);
}

#define GFP_KERNEL		0
#define GFP_KERNEL_ACCOUNT	0
#define __GFP_NOFAIL		1

/*
 * The kernel has what is small from its direct map, and the rest from a vmalloc
 * of huge pages. The benchmark says so; others needn't clear 2 MB for each.
 */
#define CNI_USER_HUGE		(2UL << 20)
#ifndef CNI_USER_HUGE_FROM
#define CNI_USER_HUGE_FROM	CNI_USER_HUGE
#endif

static inline void *kvmalloc(size_t size, int gfp)
{
	void *p = NULL;

	if (!(gfp & __GFP_NOFAIL) && cni_user_fails())
		return NULL;
	if (size < CNI_USER_HUGE_FROM)
		return posix_memalign(&p, 64, size) ? NULL : p;
	if (posix_memalign(&p, CNI_USER_HUGE,
			   DIV_ROUND_UP(size, CNI_USER_HUGE) * CNI_USER_HUGE))
		return NULL;
	madvise(p, size, MADV_HUGEPAGE);
	return p;
}

static inline void *kvzalloc(size_t size, int gfp)
{
	void *p = kvmalloc(size, gfp);

	return p ? memset(p, 0, size) : p;
}

#define kmalloc(s, g)		kvmalloc(s, g)
#define kzalloc(s, g)		kvzalloc(s, g)
#define kvcalloc(n, s, g)	kvzalloc((size_t)(n) * (s), g)
#define kvmalloc_array(n, s, g)	kvmalloc((size_t)(n) * (s), g)
#define kvfree(p)		free(p)
#define kfree(p)		free(p)

/* Where a writer lets others run; a test may want to know. */
extern void (*cni_user_resched)(void) __attribute__((__weak__));
void (*cni_user_resched)(void);

static inline void cond_resched(void)
{
	if (cni_user_resched)
		cni_user_resched();
}

struct rcu_head {
	void *next[2];
};

/* One thread, so a grace period is over whenever the test says it is. */
extern unsigned long cni_user_gp __attribute__((__weak__));
unsigned long cni_user_gp;

#define rcu_dereference_check(p, c)	READ_ONCE(p)
#define rcu_dereference_protected(p, c)	(p)
#define rcu_assign_pointer(p, v)	smp_store_release(&(p), v)
#define RCU_INIT_POINTER(p, v)		((p) = (v))
#define kvfree_rcu(p, f)		free(p)
#define start_poll_synchronize_rcu()	(cni_user_gp + 2)
#define poll_state_synchronize_rcu(c)	((long)(cni_user_gp - (c)) >= 0)
#define cond_synchronize_rcu(c)	\
	(poll_state_synchronize_rcu(c) ? 0 : (cni_user_gp = (c)))

#endif /* _CNI_LPM_USER_H */
