// SPDX-License-Identifier: GPL-2.0
/* From a mail's bytes, as programs leave them, to lines that can be read. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "config/mail-text.h"

/* A byte, later a character, and the line of the file that it's from. */
struct ch {
	uint32_t c;
	uint32_t line;
};

struct chs {
	struct ch *a;
	size_t n, room;
};

#define MARK_CELL	0x110000u	/* beyond Unicode: a table's cell */
#define MARK_HIDE	0x110001u	/* from here on nobody sees it */
#define MARK_SHOW	0x110002u
#define MARK_BREAK	0x110003u	/* a new line that the file doesn't have */

static void put(struct chs *v, uint32_t c, uint32_t line)
{
	if (v->n == v->room) {
		v->room = v->room ? 2 * v->room : 1024;
		v->a = xrealloc(v->a, v->room * sizeof(*v->a));
	}
	v->a[v->n++] = (struct ch) { c, line };
}

static uint32_t at(const struct chs *v, size_t i)
{
	return i < v->n ? v->a[i].c : 0;
}

static bool one_of(uint32_t c, const char *set)
{
	return c && c < 0x80 && strchr(set, c);
}

/* Replaces @v by @by. */
static void swap_in(struct chs *v, struct chs *by)
{
	free(v->a);
	*v = *by;
}

static size_t put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = 0xc0 | c >> 6;
		to[1] = 0x80 | (c & 0x3f);
		return 2;
	}
	if (c < 0x10000) {
		to[0] = 0xe0 | c >> 12;
		to[1] = 0x80 | (c >> 6 & 0x3f);
		to[2] = 0x80 | (c & 0x3f);
		return 3;
	}
	to[0] = 0xf0 | c >> 18;
	to[1] = 0x80 | (c >> 12 & 0x3f);
	to[2] = 0x80 | (c >> 6 & 0x3f);
	to[3] = 0x80 | (c & 0x3f);
	return 4;
}

/* 'l' or 'b' for UTF-16 of that byte order, 0 for anything else. */
static char utf16_order(const unsigned char *s, size_t len)
{
	size_t zero[2] = {}, n = len < 4096 ? len & ~1ul : 4096, i;

	if (len < 2)
		return 0;
	if (s[0] == 0xff && s[1] == 0xfe)
		return 'l';
	if (s[0] == 0xfe && s[1] == 0xff)
		return 'b';
	/* Without a mark: nearly every other byte of Latin text is zero. */
	for (i = 0; i < n; i++)
		zero[i & 1] += !s[i];
	if (zero[1] * 4 >= n && zero[1] > 4 * zero[0])
		return 'l';
	if (zero[0] * 4 >= n && zero[0] > 4 * zero[1])
		return 'b';
	return 0;
}

char *mail_text_utf8(const char *bytes, size_t *len)
{
	const unsigned char *s = (const unsigned char *)bytes;
	char order = utf16_order(s, *len), *out;
	size_t n = 0, i, hi = order == 'l';
	uint32_t c, low;

	/* A unit of two bytes becomes three at most. */
	out = xalloc(*len * 2 + 4);
	if (!order) {
		i = *len >= 3 && !memcmp(s, "\xef\xbb\xbf", 3) ? 3 : 0;
		memcpy(out, s + i, *len - i);
		*len -= i;
		return out;
	}
	for (i = 0; i + 1 < *len; i += 2) {
		c = s[i + hi] << 8 | s[i + !hi];
		if (c >= 0xd800 && c < 0xdc00 && i + 3 < *len) {
			low = s[i + 2 + hi] << 8 | s[i + 2 + !hi];
			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) +
				    (low - 0xdc00);
				i += 2;
			}
		}
		if (c == 0xfeff || (c >= 0xd800 && c < 0xe000))
			continue;
		n += put_utf8(out + n, c);
	}
	out[n] = '\0';
	*len = n;
	return out;
}

static int hex_value(uint32_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Bytes with their lines, which end in LF, CR LF, or CR where no LF is. */
static void number_lines(const char *s, size_t len, struct chs *v)
{
	bool cr = !memchr(s, '\n', len);
	uint32_t line = 1;
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = s[i];

		if (c == '\r' && !cr)
			continue;
		if (c == '\r')
			c = '\n';
		put(v, c, line);
		line += c == '\n';
	}
}

static size_t line_end(const struct chs *v, size_t i)
{
	while (i < v->n && v->a[i].c != '\n')
		i++;
	return i;
}

/* Whether the line at @i begins with @word, in whichever case. */
static bool begins(const struct chs *v, size_t i, const char *word)
{
	for (; *word; word++, i++)
		if (tolower(at(v, i) & 0xff) != *word || at(v, i) > 0x7f)
			return false;
	return true;
}

static int base64_value(uint32_t c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c && c < 0x80 ? strchr(digits, c) : NULL;

	return p ? p - digits : -1;
}

/* What is encoded from @i on; returns where that ends. */
static size_t take_base64(const struct chs *v, size_t i, bool text,
			  struct chs *out)
{
	uint32_t bits = 0;
	unsigned int n = 0;
	size_t end, k;

	for (; i < v->n; i = end + 1) {
		end = line_end(v, i);
		for (k = i; k < end; k++)
			if (base64_value(at(v, k)) < 0 &&
			    !one_of(at(v, k), "= \t"))
				break;
		if (k < end)
			break;
		for (k = i; k < end; k++) {
			if (base64_value(at(v, k)) < 0)
				continue;
			bits = bits << 6 | base64_value(at(v, k));
			n += 6;
			if (n < 8)
				continue;
			n -= 8;
			if (text)
				put(out, bits >> n & 0xff, v->a[k].line);
		}
	}
	put(out, '\n', i ? v->a[i - 1].line : 1);
	return i;
}

/* A line that parts of a mail are set apart by. */
static bool is_boundary(const struct chs *v, size_t i)
{
	size_t end = line_end(v, i);

	if (end - i < 6 || at(v, i) != '-' || at(v, i + 1) != '-')
		return false;
	for (; i < end; i++)
		if (isspace(at(v, i) & 0xff))
			return false;
	return true;
}

/* Base64 wherever a header says so; where quoted-printable is goes to @qp. */
static void undo_transfer(struct chs *v, bool *has_qp)
{
	enum { PLAIN, QP, BASE64 } next = PLAIN;
	bool text = true, qp = false, header = false;
	struct chs out = {};
	size_t i, end, k;

	for (i = 0; i < v->n; i = end + 1) {
		end = line_end(v, i);
		for (k = i; k < end && one_of(at(v, k), " \t"); k++)
			;
		if (is_boundary(v, i)) {
			next = PLAIN;
			text = true;
			qp = false;
		} else if (begins(v, i, "content-transfer-encoding:")) {
			for (k = i + 26; one_of(at(v, k), " \t"); k++)
				;
			next = begins(v, k, "base64") ? BASE64 :
			       begins(v, k, "quoted-printable") ? QP : PLAIN;
			header = true;
		} else if (begins(v, i, "content-type:")) {
			for (k = i + 13; one_of(at(v, k), " \t"); k++)
				;
			text = begins(v, k, "text/");
			header = true;
		} else if (k == end && header) {
			header = false;
			qp = next == QP;
			if (next == BASE64) {
				end = take_base64(v, end + 1, text, &out) - 1;
				continue;
			}
		}
		*has_qp |= qp;
		for (k = i; k < end + 1 && k < v->n; k++)
			put(&out, v->a[k].c, v->a[k].line);
	}
	swap_in(v, &out);
}

static int qp_byte(const struct chs *v, size_t i)
{
	int hi = hex_value(at(v, i + 1)), lo = hex_value(at(v, i + 2));

	return at(v, i) != '=' || hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

/* Of one beyond ASCII: it's a part of a character, or Windows' blank. */
static bool is_qp_high(const struct chs *v, size_t i)
{
	int c = qp_byte(v, i);

	if (c == 0xa0)
		return true;
	if (c >= 0xc2)
		return (qp_byte(v, i + 3) & ~0x3f) == 0x80;
	return i > 2 && qp_byte(v, i - 3) >= 0x80;
}

/*
 * Whether the "=XX" at @i is an encoded byte, and not a setting such as
 * "VLAN=20". @sure: a header said that all of them are, or others show it.
 */
static bool is_qp(const struct chs *v, size_t i, bool sure)
{
	uint32_t before = i ? v->a[i - 1].c : '\n', after = at(v, i + 3);
	int c = qp_byte(v, i);

	if (c < 0)
		return false;
	if (c >= 0x80)
		return sure || is_qp_high(v, i);
	if (c == '=')
		return true;
	if (c < ' ' && c != '\t' && c != '\n' && c != '\r')
		return false;
	if (sure || c != ' ')
		return sure;
	/* A blank was there, where none is seen. */
	return one_of(before, ": \t=") || isalpha(after & 0xff) ||
	       (!isalnum(before & 0xff) && (!after || after == '\n'));
}

static void undo_qp(struct chs *v, bool sure)
{
	struct chs out = {};
	size_t i, k;
	int c;

	for (i = 0; !sure && i + 2 < v->n; i++)
		if (v->a[i].c == '=' && v->a[i + 1].c == '3' &&
		    v->a[i + 2].c == 'D')
			sure = true;
	for (i = 0; i < v->n; i++) {
		if (v->a[i].c != '=') {
			put(&out, v->a[i].c, v->a[i].line);
			continue;
		}
		for (k = i + 1; at(v, k) == ' ' || at(v, k) == '\t'; k++)
			;
		/* A line that was only broken for the transport. */
		if (at(v, k) == '\n' && (!i || (v->a[i - 1].c != '=' &&
						v->a[i - 1].c != '\n'))) {
			i = k;
		} else if (is_qp(v, i, sure)) {
			c = qp_byte(v, i);
			if (c != '\r')
				put(&out, c, v->a[i].line);
			i += 2;
		} else {
			put(&out, '=', v->a[i].line);
		}
	}
	swap_in(v, &out);
}

/* What Windows means by 0x80 to 0x9f; 0xa0 and more are Unicode's own. */
static uint32_t from_windows(uint32_t c)
{
	static const uint16_t high[] = {
		0x20ac, 0, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021,
		0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0, 0x17d, 0,
		0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
		0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0, 0x17e, 0x178,
	};

	return c >= 0x80 && c < 0xa0 ? high[c - 0x80] : c;
}

/* The character at @i, which is of UTF-8, or else of Windows. */
static size_t take_char(const struct chs *v, size_t i, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint32_t first = v->a[i].c;
	unsigned int more, k;

	*c = first;
	if (first < 0x80)
		return 1;
	more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	*c = first & (0x3f >> more);
	for (k = 1; k <= more; k++) {
		if ((at(v, i + k) & ~0x3fu) != 0x80)
			break;
		*c = *c << 6 | (at(v, i + k) & 0x3f);
	}
	if (first >= 0xc2 && first < 0xf5 && k > more && *c >= least[more] &&
	    *c < 0x110000 && (*c < 0xd800 || *c > 0xdfff))
		return more + 1;
	*c = from_windows(first);
	return 1;
}

struct range {
	uint32_t first, last, as;	/* as 0: nothing at all */
};

/* In order: what stands for something simpler, or for nothing. */
static const struct range plain[] = {
	{ 0x00, 0x08, 0 }, { 0x0b, 0x0c, '\n' }, { 0x0e, 0x1f, 0 },
	{ 0x7f, 0x84, 0 }, { 0x85, 0x85, '\n' }, { 0x86, 0x9f, 0 },
	{ 0xa0, 0xa0, ' ' }, { 0xad, 0xad, 0 }, { 0xb7, 0xb7, '*' },
	{ 0x34f, 0x34f, 0 }, { 0x61c, 0x61c, 0 }, { 0x115f, 0x1160, 0 },
	{ 0x1680, 0x1680, ' ' }, { 0x17b4, 0x17b5, 0 }, { 0x180b, 0x180e, 0 },
	{ 0x2000, 0x200a, ' ' }, { 0x200b, 0x200f, 0 }, { 0x2010, 0x2015, '-' },
	{ 0x2016, 0x2016, '|' }, { 0x2018, 0x201b, '\'' },
	{ 0x201c, 0x201f, '"' }, { 0x2020, 0x2023, '*' }, { 0x2024, 0x2024, '.' },
	{ 0x2027, 0x2027, '*' }, { 0x2028, 0x2029, '\n' },
	{ 0x202a, 0x202e, 0 }, { 0x202f, 0x202f, ' ' }, { 0x2039, 0x2039, '<' },
	{ 0x203a, 0x203a, '>' }, { 0x2043, 0x2043, '-' }, { 0x2044, 0x2044, '/' },
	{ 0x205f, 0x205f, ' ' }, { 0x2060, 0x206f, 0 }, { 0x2190, 0x21ff, ' ' },
	{ 0x2212, 0x2212, '-' }, { 0x2215, 0x2215, '/' }, { 0x2219, 0x2219, '*' },
	{ 0x2223, 0x2223, '|' }, { 0x2236, 0x2236, ':' }, { 0x22c5, 0x22c5, '*' },
	{ 0x2500, 0x2501, '-' }, { 0x2502, 0x2503, '|' }, { 0x2504, 0x2505, '-' },
	{ 0x2506, 0x2507, '|' }, { 0x2508, 0x2509, '-' }, { 0x250a, 0x250b, '|' },
	{ 0x250c, 0x254b, '+' }, { 0x254c, 0x254d, '-' }, { 0x254e, 0x254f, '|' },
	{ 0x2550, 0x2550, '-' }, { 0x2551, 0x2551, '|' }, { 0x2552, 0x256c, '+' },
	{ 0x2571, 0x2571, '/' }, { 0x2573, 0x27bf, ' ' }, { 0x2800, 0x2800, ' ' },
	{ 0x29f8, 0x29f8, '/' }, { 0x2b00, 0x2bff, ' ' }, { 0x3000, 0x3000, ' ' },
	{ 0x3002, 0x3002, '.' }, { 0x3164, 0x3164, 0 }, { 0xa789, 0xa789, ':' },
	{ 0xe000, 0xf8ff, ' ' }, { 0xfe00, 0xfe0f, 0 }, { 0xfe13, 0xfe13, ':' },
	{ 0xfe52, 0xfe52, '.' }, { 0xfe55, 0xfe55, ':' }, { 0xfe58, 0xfe58, '-' },
	{ 0xfe63, 0xfe63, '-' }, { 0xfeff, 0xfeff, 0 }, { 0xff61, 0xff61, '.' },
	{ 0xffa0, 0xffa0, 0 }, { 0xfff0, 0xffff, 0 }, { 0x1f000, 0x1faff, ' ' },
	{ 0xe0000, 0x10ffff, 0 },
};

/* Digits of other scripts: where their zeros are. */
static const uint32_t zeros[] = {
	0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xe50, 0xff10, 0x1d7ce, 0x1d7d8,
	0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1fbf0,
};

/* One that needs no more care, 0 for one to leave out. */
static uint32_t simplify(uint32_t c)
{
	size_t lo = 0, hi = sizeof(plain) / sizeof(plain[0]), mid, i;

	if (c == '\t' || c == '\n' || (c >= ' ' && c < 0x7f))
		return c;
	for (i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++)
		if (c >= zeros[i] && c < zeros[i] + 10)
			return '0' + c - zeros[i];
	/* The fullwidth forms. */
	if (c >= 0xff01 && c <= 0xff5e)
		return c - 0xff01 + '!';
	if (c == '\r')
		return ' ';
	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (c > plain[mid].last)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < sizeof(plain) / sizeof(plain[0]) && c >= plain[lo].first)
		return plain[lo].as;
	return c;
}

/*
 * What a terminal would do rather than show, from after its introducer @kind
 * on; a text in it is kept, hidden. Returns where it ends.
 */
static size_t skip_escape(const struct chs *v, size_t i, uint32_t kind,
			  struct chs *out)
{
	uint32_t line = i < v->n ? v->a[i].line : 0;
	size_t k = i;

	if (kind == '[') {
		while (k - i < 32 && one_of(at(v, k), "0123456789;:?<>="))
			k++;
		return at(v, k) >= '@' && at(v, k) <= '~' ? k + 1 : i;
	}
	if (one_of(kind, "]PX^_")) {
		put(out, MARK_HIDE, line);
		for (; i < v->n && v->a[i].c != '\n'; i++) {
			if (v->a[i].c == 0x07) {
				i++;
				break;
			}
			if (v->a[i].c == 0x1b) {
				i += at(v, i + 1) == '\\' ? 2 : 0;
				break;
			}
			put(out, v->a[i].c, line);
		}
		put(out, MARK_SHOW, line);
		return i;
	}
	while (one_of(at(v, k), " !\"#$%&'()*+,-./") && k - i < 2)
		k++;
	return at(v, k) >= '0' && at(v, k) <= '~' && k > i ? k + 1 : i;
}

/* From bytes to simple characters. */
static void decode(struct chs *v)
{
	struct chs chars = {}, out = {};
	uint32_t c, line;
	size_t i;

	for (i = 0; i < v->n;) {
		line = v->a[i].line;
		i += take_char(v, i, &c);
		put(&chars, c, line);
	}
	for (i = 0; i < chars.n; i++) {
		c = chars.a[i].c;
		line = chars.a[i].line;
		if (c == 0x1b) {
			c = at(&chars, i + 1);
			if (one_of(c, "[]PX^_"))
				i = skip_escape(&chars, i + 2, c, &out) - 1;
			else
				i = skip_escape(&chars, i + 1, 0, &out) - 1;
			continue;
		}
		/* The same introducers as single characters. */
		if (c == 0x90 || c == 0x98 || (c >= 0x9b && c <= 0x9f)) {
			i = skip_escape(&chars, i + 1, c - 0x40, &out) - 1;
			continue;
		}
		if (c < MARK_CELL)
			c = simplify(c);
		if (c)
			put(&out, c, line);
	}
	free(chars.a);
	swap_in(v, &out);
	/* A text that was in an escape is simplified as well. */
	for (i = 0; i < v->n; i++)
		if (v->a[i].c < MARK_CELL)
			v->a[i].c = simplify(v->a[i].c) ?: ' ';
}

static const struct {
	const char *name;
	uint32_t c;
} entities[] = {
	{ "nbsp", ' ' }, { "ensp", ' ' }, { "emsp", ' ' }, { "thinsp", ' ' },
	{ "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' },
	{ "apos", '\'' }, { "sol", '/' }, { "colon", ':' }, { "period", '.' },
	{ "comma", ',' }, { "semi", ';' }, { "equals", '=' }, { "num", '#' },
	{ "lpar", '(' }, { "rpar", ')' }, { "lsqb", '[' }, { "rsqb", ']' },
	{ "vert", '|' }, { "verbar", '|' }, { "ast", '*' }, { "hyphen", '-' },
	{ "dash", '-' }, { "ndash", '-' }, { "mdash", '-' }, { "minus", '-' },
	{ "bull", '*' }, { "middot", '*' }, { "frasl", '/' }, { "tab", '\t' },
	{ "newline", '\n' }, { "shy", 0 }, { "zwnj", 0 }, { "zwj", 0 },
	{ "zerowidthspace", 0 }, { "lrm", 0 }, { "rlm", 0 },
	{ "rarr", ' ' }, { "larr", ' ' }, { "harr", ' ' }, { "lsquo", '\'' },
	{ "rsquo", '\'' }, { "ldquo", '"' }, { "rdquo", '"' },
	{ "auml", 0xe4 }, { "ouml", 0xf6 }, { "uuml", 0xfc }, { "szlig", 0xdf },
	{ "eacute", 0xe9 }, { "egrave", 0xe8 }, { "hellip", '.' },
};

/* Returns how long the entity at @i is, 0 for none; *@c: 0 for nothing. */
static size_t take_entity(const struct chs *v, size_t i, uint32_t *c)
{
	char name[20];
	size_t n = 0, k;
	int base, d;

	for (k = i + 1; n < sizeof(name) - 1 && at(v, k) < 0x80 && at(v, k) &&
	     (isalnum(at(v, k)) || (at(v, k) == '#' && !n)); k++)
		name[n++] = tolower(at(v, k));
	name[n] = '\0';
	if (!n || at(v, k) != ';')
		return 0;
	if (*name != '#') {
		for (n = 0; n < sizeof(entities) / sizeof(entities[0]); n++) {
			if (strcmp(entities[n].name, name))
				continue;
			*c = entities[n].c;
			return k + 1 - i;
		}
		return 0;
	}
	base = name[1] == 'x' ? 16 : 10;
	*c = 0;
	for (n = base == 16 ? 2 : 1; name[n]; n++) {
		d = hex_value(name[n]);
		if (d < 0 || d >= base || *c > 0x10ffff)
			return 0;
		*c = *c * base + d;
	}
	*c = *c < MARK_CELL ? simplify(*c) : 0;
	return k + 1 - i;
}

static void undo_entities(struct chs *v)
{
	struct chs out = {};
	uint32_t c;
	size_t i, n;

	for (i = 0; i < v->n; i++) {
		n = v->a[i].c == '&' ? take_entity(v, i, &c) : 0;
		if (!n)
			put(&out, v->a[i].c, v->a[i].line);
		else if (c == '\n')
			put(&out, MARK_BREAK, v->a[i].line);
		else if (c)
			put(&out, c, v->a[i].line);
		if (n)
			i += n - 1;
	}
	swap_in(v, &out);
}

enum tag { NO_TAG, INLINE, BREAK, ROW, CELL, TABLE, HIDDEN };

static enum tag tag_kind(const char *name)
{
	static const struct {
		enum tag kind;
		const char *names;
	} known[] = {
		{ INLINE, " a abbr b big center code col colgroup em font i img "
			  "input ins kbd label link mark meta o:p s samp small "
			  "span strong sub sup tbody tfoot thead tt u var wbr " },
		{ BREAK, " article blockquote body br caption dd div dl dt "
			 "footer h1 h2 h3 h4 h5 h6 header hr html li main ol p "
			 "pre section ul head " },
		{ ROW, " tr " },
		{ CELL, " td th " },
		{ TABLE, " table " },
		{ HIDDEN, " style script title " },
	};
	char word[16];
	size_t i;

	snprintf(word, sizeof(word), " %.12s ", name);
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(known[i].names, word))
			return known[i].kind;
	return NO_TAG;
}

/* Returns where the tag or comment at @i ends, 0 when it's none. */
static size_t take_tag(const struct chs *v, size_t i, enum tag *kind,
		       bool *closing)
{
	char name[16];
	size_t k = i + 1, n = 0;

	*closing = false;
	if (at(v, k) == '!' && at(v, k + 1) == '-' && at(v, k + 2) == '-') {
		*kind = HIDDEN;
		for (k += 3; k < v->n; k++)
			if (at(v, k) == '-' && at(v, k + 1) == '-' &&
			    at(v, k + 2) == '>')
				return k + 3;
		return 0;
	}
	if (at(v, k) == '!' || at(v, k) == '?') {
		*kind = INLINE;
		for (; k < v->n && at(v, k) != '\n'; k++)
			if (at(v, k) == '>')
				return k + 1;
		return 0;
	}
	if (at(v, k) == '/') {
		*closing = true;
		k++;
	}
	while (n < sizeof(name) - 1 && at(v, k) < 0x80 &&
	       (isalnum(at(v, k)) || at(v, k) == ':'))
		name[n++] = tolower(at(v, k++));
	name[n] = '\0';
	if (!n || !one_of(at(v, k), " \t\n/>"))
		return 0;
	*kind = tag_kind(name);
	if (*kind == NO_TAG)
		return 0;
	for (; k < v->n && k - i < 4096; k++)
		if (at(v, k) == '>')
			return k + 1;
	return 0;
}

static void undo_html(struct chs *v)
{
	bool closing, in_row = false, hidden = false;
	struct chs out = {};
	enum tag kind;
	size_t i, end;
	uint32_t c;

	for (i = 0; i < v->n; i++) {
		c = v->a[i].c;
		end = c == '<' ? take_tag(v, i, &kind, &closing) : 0;
		if (!end) {
			/* A row's cells can be on lines of their own. */
			put(&out, c == '\n' && in_row ? ' ' : c, v->a[i].line);
			continue;
		}
		if (kind == HIDDEN && at(v, i + 1) != '!') {
			if (hidden == closing)
				put(&out, closing ? MARK_SHOW : MARK_HIDE,
				    v->a[i].line);
			hidden = !closing;
		}
		if (kind == ROW || kind == TABLE) {
			in_row = kind == ROW && !closing;
			put(&out, MARK_BREAK, v->a[i].line);
		} else if (kind == BREAK && in_row) {
			put(&out, ' ', v->a[i].line);
		} else if (kind == BREAK) {
			put(&out, MARK_BREAK, v->a[i].line);
		} else if (kind == CELL && !closing) {
			put(&out, MARK_CELL, v->a[i].line);
		}
		if (!hidden)
			put(&out, MARK_HIDE, v->a[i].line);
		for (i++; i + 1 < end; i++)
			put(&out, v->a[i].c == '\n' ? ' ' : v->a[i].c,
			    v->a[i].line);
		if (!hidden)
			put(&out, MARK_SHOW, v->a[i].line);
		i = end - 1;
	}
	swap_in(v, &out);
}

/* How ticket systems keep text from being a link, or markup. */
static void undo_defanging(struct chs *v)
{
	struct chs out = {};
	size_t i, after = 0;	/* where the last escape ended */
	uint32_t c, next;

	for (i = 0; i < v->n; i++) {
		c = v->a[i].c;
		next = at(v, i + 1);
		if ((c == '[' || c == '(') && one_of(next, ".:/") &&
		    at(v, i + 2) == (c == '[' ? ']' : ')')) {
			put(&out, next, v->a[i].line);
			i += 2;
		} else if (c == '[' && (begins(v, i, "[dot]") ||
					begins(v, i, "[colon]"))) {
			put(&out, next == 'd' || next == 'D' ? '.' : ':',
			    v->a[i].line);
			i += next == 'd' || next == 'D' ? 4 : 6;
		} else if (c == '\\' && (next == 'n' || next == 'r' ||
					 next == 't') &&
			   (i == after || !isalpha(v->a[i - 1].c & 0xff))) {
			put(&out, next == 't' ? '\t' : MARK_BREAK,
			    v->a[i].line);
			after = ++i + 1;
		} else if (c != '\\' || next >= 0x80 || !ispunct(next)) {
			put(&out, c, v->a[i].line);
		}
	}
	swap_in(v, &out);
}

static void end_line(struct mail_text *t, char *buf, size_t *n,
		     unsigned int number, bool hidden)
{
	struct mail_line *l;

	if (hidden && !*n)
		return;
	buf[*n] = '\0';
	if (!(t->n & (t->n - 1)))
		t->lines = xrealloc(t->lines, (t->n ? 2 * t->n : 1) *
						      sizeof(*t->lines));
	l = &t->lines[t->n++];
	l->number = number;
	l->hidden = hidden;
	l->text = xstrdup(buf);
	*n = 0;
}

/* Hidden text becomes lines of its own, behind the one that it's in. */
static void split(const struct chs *v, struct mail_text *t)
{
	char *seen = xalloc(4 * v->n + 2), *unseen = xalloc(4 * v->n + 2);
	size_t n = 0, un = 0, i;
	uint32_t first = 1, ufirst = 1, c;
	bool hide = false, fresh = true;

	for (i = 0; i < v->n; i++) {
		c = v->a[i].c;
		if (fresh)
			first = v->a[i].line;
		fresh = false;
		if (c == MARK_HIDE || c == MARK_SHOW) {
			hide = c == MARK_HIDE;
			if (un)
				unseen[un++] = ' ';
		} else if (c == '\n' || c == MARK_BREAK) {
			if (!hide)
				end_line(t, seen, &n, first, false);
			end_line(t, unseen, &un, ufirst, true);
			fresh |= !hide;
		} else if (hide) {
			if (!un)
				ufirst = v->a[i].line;
			un += put_utf8(unseen + un,
				       c == MARK_CELL ? '|' : c);
		} else {
			n += put_utf8(seen + n, c == MARK_CELL ? '|' : c);
		}
	}
	if (n || un) {
		end_line(t, seen, &n, first, false);
		end_line(t, unseen, &un, ufirst, true);
	}
	free(seen);
	free(unseen);
}

void mail_text_read(const char *bytes, size_t len, struct mail_text *t)
{
	char *text = mail_text_utf8(bytes, &len);
	bool qp = false;
	struct chs v = {};

	memset(t, 0, sizeof(*t));
	number_lines(text, len, &v);
	free(text);
	undo_transfer(&v, &qp);
	undo_qp(&v, qp);
	decode(&v);
	/* Escaped tags, and then what was escaped twice. */
	undo_html(&v);
	undo_entities(&v);
	undo_html(&v);
	undo_entities(&v);
	undo_defanging(&v);
	split(&v, t);
	free(v.a);
}

void mail_text_free(struct mail_text *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		free(t->lines[i].text);
	free(t->lines);
}
