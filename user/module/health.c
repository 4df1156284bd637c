// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "module/health.h"

#define LOSS_PERCENT 0.1
#define MIN_FAILURES 2
#define MIN_PROBES 3		/* in a second, to count as down */
#define GOOD_ROW 3
#define LAST_PROBES 30
#define RECOVERY 300		/* s */

const char *health_state_str(enum health_state state)
{
	static const char *const names[] = {
		[HEALTH_UNKNOWN] = "unknown",
		[HEALTH_HEALTHY] = "healthy",
		[HEALTH_DEGRADED] = "degraded",
		[HEALTH_DOWN] = "down",
	};

	return names[state];
}

double health_loss(const struct health *h)
{
	uint64_t all = h->good + h->bad;

	return all ? 100.0 * h->bad / all : 0;
}

/* What a second usually brings: the mean of those that brought any. */
static uint64_t usual(const struct health *h)
{
	unsigned int i, n = 0;

	for (i = 0; i < h->n; i++)
		n += h->v[i].good > 0;
	return n ? h->good / n : 0;
}

static void push(struct health *h, uint32_t good, uint32_t bad)
{
	struct health_second *s = &h->v[h->at];

	if (h->n == HEALTH_WINDOW) {
		h->good -= s->good;
		h->bad -= s->bad;
	} else {
		h->n++;
	}
	*s = (struct health_second){ good, bad };
	h->good += good;
	h->bad += bad;
	h->at = (h->at + 1) % HEALTH_WINDOW;
}

static void one_second(struct health *h, uint64_t good, uint64_t bad)
{
	uint64_t expected = usual(h);

	/* Silence where there was none: those that didn't come. */
	if (!good && !bad && expected >= MIN_PROBES)
		bad = expected;
	push(h, good, bad);
	if (bad) {
		h->since_bad = 0;
		h->good_row = 0;
	} else {
		h->since_bad++;
		h->good_row += good;
	}
	if (!h->good && !h->bad)
		return;
	if (!good && bad >= MIN_PROBES)
		h->state = HEALTH_DOWN;
	else if (h->state == HEALTH_UNKNOWN && good)
		h->state = HEALTH_HEALTHY;
	if (h->state == HEALTH_HEALTHY && h->bad >= MIN_FAILURES &&
	    health_loss(h) >= LOSS_PERCENT)
		h->state = HEALTH_DEGRADED;
	if (h->state == HEALTH_DOWN && h->good_row >= GOOD_ROW)
		h->state = HEALTH_DEGRADED;
	/* None of the last 30 failed, and five minutes went by. */
	if (h->state == HEALTH_DEGRADED && h->good_row >= LAST_PROBES &&
	    h->since_bad >= RECOVERY)
		h->state = HEALTH_HEALTHY;
}

void health_take(struct health *h, uint64_t answered, uint64_t unanswered,
		 unsigned int seconds)
{
	uint64_t good, bad;
	unsigned int i;

	/* Of a stretch that wasn't looked at by the second: evenly. */
	for (i = 0; i < seconds; i++) {
		good = answered / (seconds - i);
		bad = unanswered / (seconds - i);
		answered -= good;
		unanswered -= bad;
		one_second(h, good, bad);
	}
}
