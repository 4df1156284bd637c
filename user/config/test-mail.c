// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/test.h"

#include "base/out.h"
#include "config/mail.h"

static char why[512], notes[8192];

static void keep_note(void *arg, const char *text)
{
	(void)arg;
	snprintf(notes + strlen(notes), sizeof(notes) - strlen(notes), "%s\n",
		 text);
}

static int parse(const char *text, struct mail *m)
{
	why[0] = '\0';
	notes[0] = '\0';
	return mail_parse(text, strlen(text), "mail", m, keep_note, NULL, why,
			  sizeof(why));
}

static void check_example(const struct mail *mail, const char *customer)
{
	const struct mail_link *m = &mail->links[0];

	assert_int_equal(mail->n_links, 1);
	assert_string_equal(m->customer, customer);
	assert_string_equal(addr_prefix_str(&m->cloudflare4), "192.0.2.10/31");
	assert_string_equal(addr_prefix_str(&m->ours4), "192.0.2.11/31");
	assert_string_equal(addr_prefix_str(&m->cloudflare6),
			    "2001:db8:12:3::7ac2:d64a/127");
	assert_string_equal(addr_prefix_str(&m->ours6),
			    "2001:db8:12:3::7ac2:d64b/127");
}

static void good(void **state)
{
	/* As they come: plain, quoted, listed, from a Windows machine, ... */
	static const struct {
		const char *customer, *text;
	} mails[] = {
		{ "Acme",
		  "    Cloudflare v4: 192.0.2.10/31\n"
		  "    Acme v4: 192.0.2.11/31\n"
		  "    Cloudflare v6: 2001:db8:12:3::7ac2:d64a/127\n"
		  "    Acme: 2001:db8:12:3::7ac2:d64b/127\n" },
		{ "Example Networks, Inc.",
		  "Hi,\n\nDate: Mon, 3 Mar 2025 10:30:00\nTime: 10:30\n"
		  "See: https://example.com/31\nRatio: 12/11\n"
		  "> Cloudflare v4: 192.0.2.10/31\r\n"
		  "> Example Networks, Inc. v4: 192.0.2.11/31\r\n"
		  "> Cloudflare v6: 2001:db8:12:3::7ac2:d64a/127\r\n"
		  "> Example Networks, Inc.: 2001:DB8:12:3::7AC2:D64B/127\r\n" },
		{ "ACME GmbH",
		  "- **Cloudflare IPv4:** 192.0.2.10/31\n"
		  "- **ACME GmbH IPv4:** 192.0.2.11/31\n"
		  "- **Cloudflare IPv6:** 2001:db8:12:3::7ac2:d64a/127\n"
		  "- **ACME GmbH:** 2001:db8:12:3::7ac2:d64b/127" },
		{ "",
		  "IP: 192.0.2.11/31\nCloudflare v4:\xc2\xa0" "192.0.2.10/31\n"
		  "IP: 2001:db8:12:3::7ac2:d64b/127\n"
		  "cloudflare v6: 2001:db8:12:3::7ac2:d64a/127\n" },
		{ "Acme: Berlin",
		  "Acme: Berlin v4: 192.0.2.11/31\n"
		  "Cloudflare: 192.0.2.10/31\n"
		  "Acme: Berlin: 2001:db8:12:3::7ac2:d64b/127\n"
		  "Cloudflare: 2001:db8:12:3::7ac2:d64a/127\n" },
	};
	struct mail m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		if (parse(mails[i].text, &m))
			fail_msg("mail %zu: %s", i, why);
		check_example(&m, mails[i].customer);
	}
}

static void without_v6(void **state)
{
	struct mail m;

	(void)state;
	assert_int_equal(parse("Cloudflare v4: 192.0.2.9/30\n"
			       "Acme: 192.0.2.10/30\n", &m), 0);
	assert_int_equal(m.links[0].cloudflare6.family, 0);
	assert_int_equal(m.links[0].ours6.family, 0);
	assert_string_equal(addr_prefix_str(&m.links[0].ours4),
			    "192.0.2.10/30");
}

static void bad(void **state)
{
#define CF4 "Cloudflare v4: 192.0.2.10/31\n"
#define US4 "Acme v4: 192.0.2.11/31\n"
#define CF6 "Cloudflare v6: 2001:db8::a/127\n"
	static const struct {
		const char *text, *line, *reason;
	} mails[] = {
		{ "", "mail: ", "no IPv4 pair" },
		{ "nothing: here\n", "mail: ", "no IPv4 pair" },
		{ CF4, "mail:1: ", "your side's IPv4 address is missing" },
		{ US4, "mail:1: ", "Cloudflare's IPv4 address is missing" },
		{ CF4 US4 CF6, "mail:3: ", "IPv6 address is missing" },
		{ CF4 "Acme v4: 192.0.2.10/31\n", "mail:2: ", "same address" },
		{ CF4 "Acme v4: 192.0.2.12/31\n", "mail:2: ",
		  "aren't in the same prefix" },
		{ CF4 "Acme v4: 192.0.2.11/30\n", "mail:2: ",
		  "different prefix lengths" },
		{ "Cloudflare v4: 192.0.2.10/24\nAcme v4: 192.0.2.11/24\n",
		  "mail:2: ", "/31" },
		{ "Cloudflare v4: 192.0.2.8/30\nAcme v4: 192.0.2.9/30\n",
		  "mail:2: ", "network or broadcast" },
		{ CF4 US4 CF6 "Acme: 2001:db8::b/64\n", "mail:4: ",
		  "different prefix lengths" },
		{ CF4 US4 "Cloudflare v6: 2001:db8::a/64\n"
		  "Acme: 2001:db8::b/64\n", "mail:4: ", "/127" },
		{ CF4 US4 CF6 "Acme: 2001:db8::c/127\n", "mail:4: ",
		  "aren't in the same prefix" },
		{ CF4 US4 CF6 "Acme: 2001:db8::a/127\n", "mail:4: ",
		  "same address" },
		{ CF4 "Acme v4: 192.0.2.11\n", "mail:2: ", "no prefix length" },
		{ CF4 "Acme v4: 192.0.2.300/31\n", "mail:2: ",
		  "isn't an IP address" },
		{ CF4 "Acme v4: 192.0.2.11/33\n", "mail:2: ", "out of range" },
		{ CF4 "Acme v4: 192.0.2.11/x\n", "mail:2: ", "out of range" },
		{ CF4 "Acme v4: 192.0.2.11/\n", "mail:2: ", "out of range" },
		{ CF4 "Acme v4: to be told\n", "mail:2: ", "isn't one address" },
		{ CF4 "Acme v4: \n", "mail:2: ", "isn't one address" },
		{ CF4 "Acme v4: tbd\n", "mail:2: ", "isn't an IP address" },
		{ CF4 "Acme v6: 192.0.2.11/31\n", "mail:2: ", "label says v6" },
		{ CF4 "Acme v4: 2001:db8::a/127\n", "mail:2: ",
		  "label says v4" },
		{ CF4 US4 "Acme v4: 192.0.2.10/31\n", "mail:3: ",
		  "same address" },
		{ CF4 US4 "Your v4: 192.0.2.10/31\n", "mail:3: ",
		  "whose is it" },
		{ "192.0.2.10/31\n192.0.2.11/31\n", "mail:2: ", "whose is" },
		{ "Cloudflare v4: 0.0.0.0/31\n" US4, "mail:1: ",
		  "unspecified" },
		{ "Cloudflare v4: 127.0.0.2/31\n" US4, "mail:1: ", "loopback" },
		{ "Cloudflare v4: 224.0.0.2/31\n" US4, "mail:1: ",
		  "multicast" },
		{ CF4 US4 "Cloudflare v6: ff02::1/127\n", "mail:3: ",
		  "multicast" },
		{ CF4 US4 "Cloudflare v6: ::1/127\n", "mail:3: ", "loopback" },
		{ CF4 US4 "Cloudflare v6: ::ffff:192.0.2.1/127\n", "mail:3: ",
		  "IPv4 address in IPv6 form" },
	};
	struct mail m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		if (!parse(mails[i].text, &m))
			fail_msg("mail %zu was taken: %s", i, mails[i].text);
		if (strncmp(why, mails[i].line, strlen(mails[i].line)) ||
		    !strstr(why, mails[i].reason))
			fail_msg("mail %zu: '%s' isn't '%s...%s'", i, why,
				 mails[i].line, mails[i].reason);
	}
}

/* Any bytes at all: for the sanitizers to judge. */
static void garbage(void **state)
{
	static const char *const parts[] = {
		"Cloudflare", "Acme", " v4", " v6", ":", ": ", "192.0.2.10",
		"2001:db8::a", "/31", "/127", "\n", " ", "\t", "*", ">",
		"\xc2\xa0", "\xff", "/", "::::", "999", "\r",
	};
	unsigned int seed = 1, n;
	char text[512];
	struct mail m;

	(void)state;
	for (n = 0; n < 20000; n++) {
		text[0] = '\0';
		while (strlen(text) < 200 && (seed >> 8) % 23) {
			seed = seed * 1103515245 + 12345;
			strcat(text, parts[(seed >> 16) % (sizeof(parts) /
							   sizeof(parts[0]))]);
		}
		seed = seed * 1103515245 + 12345;
		if (*text)
			parse(text, &m);
	}
}

#define MAILS TESTS "/mails"

/* What a mail has come to, in the words of the files beside the mails. */
static void tell(const struct mail *m, int rc, char *out, size_t size)
{
	const struct mail_link *l;
	unsigned int i, k;
	size_t n = 0;

	if (rc) {
		snprintf(out, size, "refused %s\n", why + strlen("mail:"));
		return;
	}
	for (i = 0; i < m->n_links; i++) {
		l = &m->links[i];
		const struct { const char *key; const struct addr *a; } ends[] = {
			{ "cloudflare4", &l->cloudflare4 },
			{ "ours4", &l->ours4 },
			{ "cloudflare6", &l->cloudflare6 },
			{ "ours6", &l->ours6 },
		};

		n += snprintf(out + n, size - n, "link %s\n", l->customer);
		for (k = 0; k < 4; k++)
			if (ends[k].a->family)
				n += snprintf(out + n, size - n, "%s %s\n",
					      ends[k].key,
					      addr_prefix_str(ends[k].a));
		if (l->vlan)
			n += snprintf(out + n, size - n, "vlan %u\n", l->vlan);
	}
}

/* Takes lines off @wants that the notes have, in whichever order. */
static bool has_notes(char *wants)
{
	char *line, *save, *text, *found, where[32];
	unsigned int n = 0, have = 0;

	for (text = notes; (text = strchr(text, '\n')); text++)
		have++;
	for (line = strtok_r(wants, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save), n++) {
		text = line + strlen("note ");
		snprintf(where, sizeof(where), "mail:%d: ", atoi(text));
		text = strchr(text, ' ') + 1;
		for (found = notes; (found = strstr(found, where)); found++)
			if (memmem(found, strcspn(found, "\n"), text,
				   strlen(text)))
				break;
		if (!found)
			return false;
	}
	return n == have;
}

static char *read_all(const char *file, size_t *len)
{
	FILE *f = fopen(file, "re");
	char *text;

	if (!f)
		fail_msg("can't read %s", file);
	text = read_whole(f, len);
	fclose(f);
	return text;
}

static bool __attribute__((format(printf, 1, 2)))
differs(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	return false;
}

static void check_clean(const char *name, char *text)
{
	char *copy = strdup(text), *s;

	for (s = text; (s = strchr(s, '\n')); s++)
		*s = ' ';
	for (s = copy; (s = strchr(s, '\n')); s++)
		*s = ' ';
	out_clean(copy);
	if (strcmp(text, copy))
		fail_msg("%s: there is something for a terminal in '%s'", name,
			 copy);
	free(copy);
}

/* Returns whether all is as wanted. */
static bool try_mail(const char *name)
{
	bool right = true;
	char path[512], got[4096], *text, *want, *note_at, copy[8192];
	struct mail m;
	size_t len;
	int rc;

	snprintf(path, sizeof(path), MAILS "/%s", name);
	text = read_all(path, &len);
	snprintf(path, sizeof(path), MAILS "/%s.want", name);
	want = read_all(path, NULL);
	why[0] = '\0';
	notes[0] = '\0';
	rc = mail_parse(text, len, "mail", &m, keep_note, NULL, why,
			sizeof(why));
	tell(&m, rc, got, sizeof(got));
	note_at = strncmp(want, "note ", 5) ? strstr(want, "\nnote ") : want;
	if (note_at && note_at != want)
		*note_at++ = '\0';
	snprintf(copy, sizeof(copy), "%s", note_at ? note_at : "");
	/* Of a refusal the place and some words of it. */
	if (!strncmp(want, "refused ", 8)) {
		char *words = strchr(want + 8, ' ') + 1;

		words[strcspn(words, "\n")] = '\0';
		if (!rc || strncmp(got, want, words - want) ||
		    !strstr(got, words))
			right = differs("%s: '%s' isn't '%s'\n", name, got,
					want);
	} else if (strncmp(got, want, strlen(want)) ||
		   strlen(got) > strlen(want) + 1) {
		right = differs("%s: got\n%s%sbut wanted\n%s", name, got,
				notes, want);
	}
	if (rc != -1 && !has_notes(copy))
		right = differs("%s: the notes\n%saren't\n%s", name, notes,
				note_at ? note_at : "");
	check_clean(name, why);
	check_clean(name, got);
	check_clean(name, notes);
	free(text);
	free(want);
	return right;
}

/* As mail programs, ticket systems and spreadsheets leave them. */
static void mangled(void **state)
{
	DIR *dir = opendir(MAILS);
	unsigned int n = 0, wrong = 0;
	struct dirent *e;

	(void)state;
	assert_non_null(dir);
	while ((e = readdir(dir)))
		if (*e->d_name != '.' && !strstr(e->d_name, ".want")) {
			wrong += !try_mail(e->d_name);
			n++;
		}
	closedir(dir);
	assert_int_equal(wrong, 0);
	assert_true(n >= 60);
}

/* One mail in all encodings and line ends is the same mail. */
static void encodings(void **state)
{
	static const char text[] =
		"Cloudflare v4: 192.0.2.10/31\nM\xc3\xbcller v4: 192.0.2.11/31\n"
		"Cloudflare v6: 2001:db8:12:3::7ac2:d64a/127\n"
		"M\xc3\xbcller: 2001:db8:12:3::7ac2:d64b/127\nVLAN: 1234\n";
	static const char *const ends[] = { "\n", "\r\n", "\r" };
	unsigned char utf16[2048];
	unsigned int order, mark, end, hi;
	struct mail m;
	const char *s;
	size_t n;

	(void)state;
	for (order = 0; order < 2; order++)
	for (mark = 0; mark < 2; mark++)
	for (end = 0; end < 3; end++) {
		n = 0;
		hi = !order;
		if (mark) {
			utf16[hi] = 0xfe;
			utf16[!hi] = 0xff;
			n = 2;
		}
		for (s = text; *s; s++) {
			const char *p = *s == '\n' ? ends[end] : s;
			size_t left = *s == '\n' ? strlen(p) : 1;

			while (left--) {
				unsigned int c = (unsigned char)*p++;

				if (c == 0xc3)
					c = 0xc0 + (*++s & 0x3f);
				utf16[n + hi] = c >> 8;
				utf16[n + !hi] = c;
				n += 2;
			}
		}
		why[0] = '\0';
		if (mail_parse((char *)utf16, n, "mail", &m, NULL, NULL, why,
			       sizeof(why)))
			fail_msg("%u %u %u: %s", order, mark, end, why);
		check_example(&m, "M\xc3\xbcller");
		assert_int_equal(m.links[0].vlan, 1234);
		assert_int_equal(m.vlans[0].line, 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(without_v6),
		cmocka_unit_test(bad),
		cmocka_unit_test(encodings),
		cmocka_unit_test(mangled),
		cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
