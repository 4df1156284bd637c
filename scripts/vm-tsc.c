// SPDX-License-Identifier: GPL-2.0
/*
 * Prints the kHz of this machine's time stamp counter, which is the VM's, too. A
 * guest that has to share the processors while it measures that may be wrong by
 * half, and all of its clocks with it.
 */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct instant {
	unsigned long long tsc, ns;
};

/* The one of many readings that took the shortest time */
static struct instant now(void)
{
	unsigned long long best = ~0ULL;
	struct instant at = {};
	struct timespec ts;
	int i;

	for (i = 0; i < 100; i++) {
		unsigned long long before = __rdtsc(), after;

		clock_gettime(CLOCK_MONOTONIC, &ts);
		after = __rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		at.tsc = before + best / 2;
		at.ns = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	}
	return at;
}

int main(void)
{
	const struct timespec wait = { .tv_nsec = 50000000 };
	struct instant from = now(), to;

	nanosleep(&wait, NULL);
	to = now();
	printf("%llu\n", (to.tsc - from.tsc) * 1000000 / (to.ns - from.ns));
	return 0;
}
