// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/out.h"
#include "config/scan.h"

#define BLANKS " \t"
#define DIGITS "0123456789"
#define HEX DIGITS "abcdefABCDEF"

static bool is_alnum(char c)
{
	return isalnum((unsigned char)c);
}

static bool is_digit(char c)
{
	return isdigit((unsigned char)c);
}

size_t scan_word(const char **s, const char **word)
{
	const char *p = *s;

	while (*p && !is_alnum(*p) && !(*p & 0x80))
		p++;
	*word = p;
	while (is_alnum(*p) || *p & 0x80 ||
	       (*p == '.' && p > *word && is_digit(p[-1]) && is_digit(p[1])))
		p++;
	*s = p;
	return p - *word;
}

bool scan_is_one_of(const char *word, size_t len, const char *list)
{
	const char *s;

	for (s = list; *s; s += strcspn(s, " ")) {
		s += strspn(s, " ");
		if (strcspn(s, " ") == len && len &&
		    !strncasecmp(s, word, len))
			return true;
	}
	return false;
}

static bool parses(const char *s, size_t len, struct addr *a)
{
	char buf[INET6_ADDRSTRLEN];

	if (!len || len >= sizeof(buf))
		return false;
	memcpy(buf, s, len);
	buf[len] = '\0';
	return !addr_parse(buf, a);
}

/* Returns where the IPv4 address at @i ends, or 0. */
static size_t take_v4(const char *s, size_t i, struct addr *a)
{
	size_t n = strspn(s + i, DIGITS "."), k;

	if (i && is_alnum(s[i - 1]))
		return 0;
	if (i > 1 && s[i - 1] == '.' && is_alnum(s[i - 2])) {
		/* After the number of an item, as in "1.192.0.2.10/31". */
		for (k = i - 1; k && is_digit(s[k - 1]); k--)
			;
		if (i - 1 - k > 2 || strspn(s, BLANKS) != k)
			return 0;
	}
	while (n && s[i + n - 1] == '.')
		n--;
	if (is_alnum(s[i + n]) || !memchr(s + i, '.', n) ||
	    !parses(s + i, n, a) || a->family != AF_INET)
		return 0;
	return i + n;
}

/* In what is given out for use, so that it's no label in front of another. */
static bool is_usual(const struct addr *a)
{
	return (a->b[0] & 0xe0) == 0x20 || (a->b[0] & 0xfe) == 0xfc ||
	       (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80);
}

/* Whether what is before the colon at @i is a word, and not hexadecimal. */
static bool is_label(const char *s, size_t i)
{
	size_t k = i;

	if (k && strchr("*_`\"')]", s[k - 1]))
		return true;
	while (k && is_alnum(s[k - 1]))
		k--;
	if (k == i)
		return !i || s[i - 1] != ':';
	if (!isalpha((unsigned char)s[k]))
		return false;
	return strspn(s + k, HEX) < i - k || i - k > 4;
}

/* The same of IPv6; *@i moves past a label that is taken for hexadecimal. */
static size_t take_v6(const char *s, size_t *i, struct addr *a)
{
	size_t n = strspn(s + *i, HEX ":."), first;
	const char *at = s + *i, *colon;
	struct addr rest;
	bool right;

	if (*i && (is_alnum(s[*i - 1]) || s[*i - 1] == '.'))
		return 0;
	if (*i && s[*i - 1] == ':' && !is_label(s, *i - 1))
		return 0;
	while (n && at[n - 1] == '.')
		n--;
	if (n > 1 && at[n - 1] == ':' && at[n - 2] != ':')
		n--;
	colon = memchr(at, ':', n);
	if (!colon || !memchr(colon + 1, ':', at + n - colon - 1) ||
	    is_alnum(at[n]))
		return 0;
	right = parses(at, n, a) && a->family == AF_INET6;
	if (right && is_usual(a))
		return *i + n;
	/* Behind a label with no blank only what is surely one. */
	if (*i && s[*i - 1] == ':')
		return 0;
	first = colon + 1 - at;
	if (colon > at && parses(at + first, n - first, &rest) &&
	    rest.family == AF_INET6 && is_usual(&rest)) {
		*i += first;
		*a = rest;
		return *i + n - first;
	}
	return right ? *i + n : 0;
}

/* A netmask's length, or -1. */
static int mask_length(const struct addr *a)
{
	uint32_t m = ntohl(addr_be32(a));

	if (a->family != AF_INET || (m >> 24) != 255 || ~m & (~m + 1))
		return -1;
	return m ? 32 - __builtin_popcount(~m) : 0;
}

/* Whether an address begins at @i, which then is no length. */
static bool is_address(const char *s, size_t i, struct addr *a)
{
	size_t n = strspn(s + i, HEX ":.");

	while (n && strchr(".:", s[i + n - 1]))
		n--;
	return strpbrk(s + i, ".:") < s + i + n && strpbrk(s + i, ".:") &&
	       parses(s + i, n, a);
}

/* A length's digits, or a netmask, at @i: where it ends, 0 when it isn't one. */
static size_t take_length(const char *s, size_t i, const struct addr *a,
			  int *len)
{
	size_t n = strspn(s + i, DIGITS);
	struct addr mask;

	if (is_address(s, i, &mask)) {
		*len = a->family == AF_INET ? mask_length(&mask) : -1;
		return *len < 0 ? 0 : i + strspn(s + i, DIGITS ".");
	}
	if (!n || n > 3 || s[i + n] == '/' || s[i + n] == ':' ||
	    (s[i + n] == '.' && is_digit(s[i + n + 1])))
		return 0;
	*len = atoi(s + i);
	return i + n;
}

#define LENGTH_WORDS "netmask mask subnet prefix prefixlen length len cidr " \
	"with a an of size bit bits and is"

/*
 * The length of the address that ends at @i, in whichever way it's said.
 * Returns where that ends; @i when there is none, and 0 when it's wrong.
 */
static size_t find_length(const char *s, size_t i, const struct addr *a,
			  int *len)
{
	size_t p = i + strspn(s + i, BLANKS), q, words = 0, cells = 0;
	bool near = p == i, slash;
	struct addr other;
	const char *word, *next;
	size_t n;

	if (s[p] == '/') {
		p += 1 + strspn(s + p + 1, BLANKS);
		q = take_length(s, p, a, len);
		if (q)
			return *len <= (int)addr_bits(a) ? q : 0;
		return (near && !is_address(s, p, &other)) || is_digit(s[p]) ?
		       is_address(s, p, &other) ? i : 0 : i;
	}
	for (p = i;;) {
		n = strspn(s + p, BLANKS "(|;,:=\"");
		for (q = p; q < p + n; q++)
			cells += strchr("|;,\t", s[q]) != NULL;
		p += n;
		next = s + p;
		if (!isalpha((unsigned char)*next) || words > 6)
			break;
		n = scan_word(&next, &word);
		if (!scan_is_one_of(word, n, LENGTH_WORDS))
			return i;
		words++;
		p = next - s;
	}
	slash = s[p] == '/';
	p += slash;
	q = take_length(s, p, a, len);
	if (!q || is_alnum(s[q]) || *len > (int)addr_bits(a))
		return i;
	if (slash || memchr(s + p, '.', q - p) || words > 1)
		return q;
	/* The number alone: a cell of its own, and such as links have. */
	if (cells && (*len | 1) == (int)addr_bits(a) - 1 &&
	    (!s[q + strspn(s + q, BLANKS "\"")] ||
	     strchr("|;,\t", s[q + strspn(s + q, " \"")])))
		return q;
	return words == 1 && *len ? q : i;
}

unsigned int scan_length(const char *s)
{
	size_t i, n;
	int len;

	for (i = 0; s[i]; i++) {
		if (s[i] != '/' || (i && !strchr(BLANKS "(:=|\t", s[i - 1])))
			continue;
		n = strspn(s + i + 1, DIGITS);
		len = n && n < 4 ? atoi(s + i + 1) : 0;
		if ((len | 1) == 31 || (len | 1) == 127)
			if (!s[i + 1 + n] || strchr(BLANKS "):,;|.", s[i + 1 + n]))
				return len;
	}
	return 0;
}

bool scan_mask(const struct addr *a, unsigned int *len)
{
	int n = mask_length(a);

	if (n < 0)
		return false;
	*len = n;
	return true;
}

static void add(struct token **list, size_t *n, const struct token *t)
{
	*list = xrealloc(*list, (*n + 1) * sizeof(*t));
	(*list)[(*n)++] = *t;
}

/*
 * What looks like an address with a length, but isn't right: @slash is where
 * its length begins, @from where it can begin.
 */
static bool take_bad(const char *s, size_t from, size_t slash, struct token *t)
{
	size_t i = slash, dots = 0, colons = 0, k;

	while (i > from && strchr(BLANKS, s[i - 1]) && slash - i < 2)
		i--;
	t->end = slash + 1 + strspn(s + slash + 1, BLANKS);
	t->end += strspn(s + t->end, DIGITS);
	for (k = i; k > from && !strchr(BLANKS "|,;()<>\"'=/", s[k - 1]); k--) {
		dots += s[k - 1] == '.';
		colons += s[k - 1] == ':';
	}
	t->kind = TOKEN_BAD;
	t->error = ADDR_BAD;
	t->start = k;
	/* Not of a URL. */
	if (k > 1 && s[k - 1] == '/' && s[k - 2] == '/')
		return false;
	return k < i && (dots >= 2 || colons >= 2) &&
	       strcspn(s + k, DIGITS) < i - k && is_alnum(s[i - 1]);
}

struct token *scan_addresses(const char *s, size_t *n)
{
	struct token *list = NULL, t = {};
	size_t i = 0, end, from = 0;
	int len;

	*n = 0;
	while (s[i]) {
		memset(&t, 0, sizeof(t));
		t.start = i;
		end = is_digit(s[i]) ? take_v4(s, i, &t.addr) : 0;
		if (!end && (strchr(HEX, s[i]) ||
			     (s[i] == ':' && s[i + 1] == ':')))
			end = take_v6(s, &t.start, &t.addr);
		if (!end && s[i] == '/' &&
		    is_digit(s[i + 1 + strspn(s + i + 1, BLANKS)]) &&
		    take_bad(s, from, i, &t)) {
			add(&list, n, &t);
			i = from = t.end;
			continue;
		}
		if (!end) {
			i++;
			continue;
		}
		t.end = find_length(s, end, &t.addr, &len);
		t.kind = t.end == end ? TOKEN_BARE : TOKEN_PREFIX;
		if (!t.end) {
			t.kind = TOKEN_BAD;
			t.error = ADDR_BAD_LEN;
			t.end = end + strcspn(s + end, BLANKS "|,;()<>");
		} else if (t.kind == TOKEN_PREFIX) {
			t.addr.len = len;
		}
		add(&list, n, &t);
		i = from = t.end;
	}
	return list;
}

#define VLAN_WORDS "vlan vlans vlanid vlanids vid vids dot1q 802.1q 8021q " \
	"802.1ad qinq ctag stag"
/* These can be of something else: a price, or German for a day. */
#define TAG_WORDS "tag tags tagged tagging"
/* What may be between such a word and the number. */
#define FILL_WORDS "id ids number numbers no nr num value is are be will " \
	"should must shall to use uses using used with the a an for of your " \
	"our this that it its as in on at by set configured configure assigned " \
	"allocated provided given following please has have you we outer inner " \
	"c s q interface connection link port cni side end cloudflare " \
	"megaport equinix encapsulation traffic frames"
/* Of what a number is that follows: none of a VLAN. */
#define STOP_WORDS "mtu mss asn as vc vcs vxc pvc vci vpi bgp circuit ticket " \
	"case order service speed bandwidth vni vrf loa phone tel fax request " \
	"reference ref invoice contract room rack cage metric priority pcp dei " \
	"cos range pool count max maximum min minimum limit area"
/* Of which things the next number is the number. */
#define NUMBERED_WORDS "port link cni site side end interface router switch " \
	"connection step page option item slot"
#define UNIT_WORDS "g m k gb mb gbps mbps gbit mbit ge gig bytes byte ms s sec " \
	"seconds minutes hours hour day days week weeks percent links ports am " \
	"pm times vlans tags"

/* A word, or one other character. */
struct item {
	const char *s;
	size_t len;
	char c;			/* 0: a word */
	bool address;
};

static bool is_vlan_word(const struct item *it)
{
	return !it->c && scan_is_one_of(it->s, it->len, VLAN_WORDS);
}

static bool is_tag_word(const struct item *it)
{
	return !it->c && scan_is_one_of(it->s, it->len, TAG_WORDS);
}

static struct item *items_of(const char *s, const struct token *t, size_t n_t,
			     size_t *n)
{
	struct item *list = xalloc((strlen(s) + 1) * sizeof(*list));
	const char *p = s, *word;
	size_t k = 0;

	*n = 0;
	while (*p) {
		if (k < n_t && (size_t)(p - s) >= t[k].start) {
			list[*n].s = p;
			list[*n].c = 1;
			list[(*n)++].address = true;
			if ((size_t)(p - s) < t[k].end)
				p = s + t[k].end;
			k++;
			continue;
		}
		list[*n].s = p;
		if (is_alnum(*p) || *p & 0x80) {
			list[*n].len = scan_word(&p, &word);
			if (k < n_t && (size_t)(p - s) > t[k].start)
				list[*n].len = s + t[k].start - word;
		} else if (*p != ' ') {
			list[*n].c = *p++;
			list[*n].len = 1;
		} else {
			p++;
			continue;
		}
		(*n)++;
	}
	return list;
}

/* 0: no number at all; -1: one, but not of a VLAN. */
static int vlan_number(const char *s, size_t len)
{
	size_t n = strspn(s, DIGITS), k;

	if (!n)
		return 0;
	if (n == 1 && len > 2 && *s == '0' && (s[1] == 'x' || s[1] == 'X'))
		return -1;
	if (n > len)
		n = len;
	/* A spreadsheet's 1234.0. */
	if (n < len && s[n] == '.') {
		for (k = n + 1; k < len && s[k] == '0'; k++)
			;
		if (k != len)
			return 0;
	} else if (n < len) {
		return 0;
	}
	if (n > 4 || s[0] == '0' || atoi(s) > 4094)
		return -1;
	return atoi(s);
}

/* "1,234" can be one number, or two. */
static bool is_thousand(const struct item *a, const struct item *b)
{
	return a->len < 4 && b->len == 3 && strspn(a->s, DIGITS) == a->len &&
	       strspn(b->s, DIGITS) == b->len;
}

/* The number at item @k, if it can be that of a VLAN. */
static int number_at(const struct item *it, size_t n, size_t k)
{
	const char *before = it[k].s - 1;
	int id;

	if (it[k].c || it[k].address)
		return 0;
	id = vlan_number(it[k].s, it[k].len);
	if (!id)
		return 0;
	/* A part of a name, a date, a time, a range or a thousand. */
	if (k && it[k - 1].c && !it[k - 1].address && it[k - 1].s == before &&
	    strchr("-./,+:", *before) && k > 1 &&
	    it[k - 2].s + it[k - 2].len == before && !it[k - 2].c) {
		if (!is_vlan_word(&it[k - 2]) && !is_tag_word(&it[k - 2]) &&
		    !scan_is_one_of(it[k - 2].s, it[k - 2].len,
				    "id no nr number") &&
		    *before != ':' && *before != ',')
			return -1;
		if (*before == ':' && vlan_number(it[k - 2].s, it[k - 2].len))
			return -1;
		if (*before == ',' && is_thousand(&it[k - 2], &it[k]))
			return -1;
	}
	if (k + 2 < n && it[k + 1].c && it[k + 1].s == it[k].s + it[k].len &&
	    it[k + 2].s == it[k + 1].s + 1 && is_digit(*it[k + 2].s) &&
	    strchr("-/:,", it[k + 1].c) &&
	    (it[k + 1].c != ',' || is_thousand(&it[k], &it[k + 2])))
		return it[k + 1].c == '/' ? id : -1;
	if (k + 2 < n && it[k + 1].c == '-' && is_digit(*it[k + 2].s))
		return -1;
	if (k + 1 < n && !it[k + 1].c &&
	    (scan_is_one_of(it[k + 1].s, it[k + 1].len, UNIT_WORDS) ||
	     vlan_number(it[k + 1].s, it[k + 1].len)))
		return -1;
	if (k + 1 < n && it[k + 1].c == '%')
		return -1;
	return id;
}

static bool has_id(const struct vlan_scan *v, int id)
{
	unsigned int i;

	for (i = 0; i < v->n; i++)
		if ((int)v->ids[i] == id)
			return true;
	return false;
}

static void take_id(struct vlan_scan *v, int id, bool *used)
{
	*used = true;
	if (id < 0) {
		v->missed = true;
		return;
	}
	if (has_id(v, id))
		return;
	if (v->n < SCAN_MAX_VLANS)
		v->ids[v->n++] = id;
	else
		v->missed = true;
}

/* More of them, behind the one at @k: "100, 200 and 300", "100/200". */
static void take_list(const struct item *it, size_t n, size_t k, bool many,
		      struct vlan_scan *v, bool *used)
{
	int id;

	while (k + 2 < n) {
		if (it[k + 1].c ? !strchr(many ? ",/&+;" : "/&", it[k + 1].c) :
		    !scan_is_one_of(it[k + 1].s, it[k + 1].len, "and or und"))
			return;
		k += 2;
		if (k < n && !it[k].c &&
		    scan_is_one_of(it[k].s, it[k].len, "and or und"))
			k++;
		id = k < n && !used[k] ? number_at(it, n, k) : 0;
		/* Behind a slash it's a part of the same thing. */
		if (id < 0 && it[k - 1].c == '/')
			id = vlan_number(it[k].s, it[k].len);
		if (id <= 0)
			return;
		take_id(v, id, &used[k]);
	}
}

/* "on this circuit": it's no number's name, but where the VLAN is. */
static bool is_this(const struct item *it, size_t k)
{
	return k && !it[k - 1].c &&
	       scan_is_one_of(it[k - 1].s, it[k - 1].len, "this the your our") &&
	       scan_is_one_of(it[k].s, it[k].len,
			      "circuit vc vxc pvc service order room rack cage");
}

/*
 * From the word at @k to the right. Returns whether a number was found; *@open:
 * the line ended where it's to follow.
 */
static bool look_right(const struct item *it, size_t n, size_t k, bool many,
		       struct vlan_scan *v, bool *used, bool *open)
{
	bool other = false, colon = false, apart = false;
	unsigned int depth = 0;
	int id;

	*open = false;
	for (k++; k < n; k++) {
		if (it[k].address)
			return false;
		if (it[k].c == '(') {
			/* A remark, unless it's the number itself. */
			if (k + 2 < n && it[k + 2].c == ')' &&
			    number_at(it, n, k + 1) > 0)
				continue;
			depth++;
			continue;
		}
		if (it[k].c == ')') {
			depth -= depth > 0;
			continue;
		}
		if (depth)
			continue;
		if (it[k].c && strchr(":=#>", it[k].c)) {
			colon = true;
			continue;
		}
		if (it[k].c && strchr(",;|\t", it[k].c)) {
			if (other || (apart && !it[k - 1].c))
				return false;
			apart = true;
			colon = true;
			continue;
		}
		/* A row of dots leads to the number. */
		if (it[k].c == '.' && ((k + 1 < n && it[k + 1].c == '.') ||
				       it[k - 1].c == '.')) {
			colon = true;
			continue;
		}
		if (it[k].c == '.' || it[k].c == '?' || it[k].c == '!')
			return false;
		if (it[k].c)
			continue;
		id = number_at(it, n, k);
		if (id && k && !it[k - 1].c &&
		    scan_is_one_of(it[k - 1].s, it[k - 1].len, NUMBERED_WORDS)) {
			used[k] = true;
			colon = false;
			continue;
		}
		if (id && (!other || colon)) {
			take_id(v, id, &used[k]);
			take_list(it, n, k, many, v, used);
			return true;
		}
		if (id || (scan_is_one_of(it[k].s, it[k].len, STOP_WORDS) &&
			   !is_this(it, k)))
			return false;
		colon = false;
		if (!is_vlan_word(&it[k]) && !is_tag_word(&it[k]) &&
		    !scan_is_one_of(it[k].s, it[k].len, FILL_WORDS))
			other = true;
	}
	*open = !other;
	return false;
}

/* "Tag: 1234", "tagged with 1234", where nothing else says VLAN. */
static void look_at_tag(const struct item *it, size_t n, size_t k,
			struct vlan_scan *v, bool *used)
{
	int id;

	for (k++; k < n; k++) {
		if (it[k].c ? it[k].address || !strchr(":=#\"'", it[k].c) :
		    !scan_is_one_of(it[k].s, it[k].len, "id with is of"))
			break;
	}
	id = k < n ? number_at(it, n, k) : 0;
	if (!id)
		return;
	v->spoken = true;
	/* A small one can be of anything. */
	take_id(v, id < 100 ? -1 : id, &used[k]);
}

static bool is_numbered(const struct item *it)
{
	return scan_is_one_of(it->s, it->len, STOP_WORDS) ||
	       scan_is_one_of(it->s, it->len, NUMBERED_WORDS);
}

/* "1234 is your VLAN", "use 1234 as the VLAN ID" */
static void look_left(const struct item *it, size_t n, size_t k,
		      struct vlan_scan *v, bool *used)
{
	size_t steps;
	int id;

	for (steps = 0; k-- && steps < 8; steps++) {
		if (it[k].address || (it[k].c && !strchr("(-=\"'", it[k].c)))
			return;
		if (it[k].c)
			continue;
		id = number_at(it, n, k);
		if (id) {
			if (used[k] ||
			    (k && !it[k - 1].c && is_numbered(&it[k - 1])))
				return;
			take_id(v, id, &used[k]);
			return;
		}
		if (!scan_is_one_of(it[k].s, it[k].len,
				    "is as the your our a an for with id tag"))
			return;
	}
}

/* Up to the number of a line before there is nothing but what fills. */
static void take_first(const struct item *it, size_t n, struct vlan_scan *v,
		       bool *used)
{
	size_t k;
	int id;

	for (k = 0; k < n; k++) {
		if (it[k].address)
			break;
		if (it[k].c || is_vlan_word(&it[k]) ||
		    is_tag_word(&it[k]) ||
		    scan_is_one_of(it[k].s, it[k].len, FILL_WORDS))
			continue;
		id = number_at(it, n, k);
		if (id)
			take_id(v, id, &used[k]);
		break;
	}
}

static void look_for_missed(const struct item *it, size_t n,
			    struct vlan_scan *v, const bool *used)
{
	size_t k;

	for (k = 0; k < n; k++) {
		if (used[k] || it[k].c || !vlan_number(it[k].s, it[k].len) ||
		    has_id(v, vlan_number(it[k].s, it[k].len)))
			continue;
		/* The number of an item. */
		if (!k && it[k].len < 3 && n > 1 && it[1].c &&
		    strchr(".)", it[1].c))
			continue;
		/* Beside an ID that was found, what can be another one. */
		if (!v->n || (number_at(it, n, k) > 0 &&
			      (!k || it[k - 1].c || !is_numbered(&it[k - 1]))))
			v->missed = true;
	}
}

void scan_vlans(const char *line, const struct token *t, size_t n_t, bool open,
		struct vlan_scan *v)
{
	struct item *it;
	size_t n, k, digits;
	bool *used, ended, many;
	int id;

	memset(v, 0, sizeof(*v));
	it = items_of(line, t, n_t, &n);
	used = xalloc(n + 1);
	if (open) {
		take_first(it, n, v, used);
		v->spoken = true;
	}
	for (k = 0; k < n; k++) {
		if (it[k].c)
			continue;
		for (digits = 0; digits < it[k].len &&
		     !is_digit(it[k].s[digits]); digits++)
			;
		/* "vlan1234" */
		if (digits && digits < it[k].len &&
		    scan_is_one_of(it[k].s, digits, "vlan vlanid vid")) {
			v->spoken = true;
			id = vlan_number(it[k].s + digits, it[k].len - digits);
			if (id)
				take_id(v, id, &used[k]);
			continue;
		}
		if (!is_vlan_word(&it[k]))
			continue;
		v->spoken = true;
		many = scan_is_one_of(it[k].s, it[k].len, "vlans vids tags");
		if (look_right(it, n, k, many, v, used, &ended))
			continue;
		if (!many && !v->n)
			look_left(it, n, k, v, used);
		/* Below a cell other than the first there's no line's rest. */
		v->open |= ended && !v->n && !strpbrk(line, "|\t");
		v->open |= ended && !v->n &&
			   strcspn(line, "|\t") > (size_t)(it[k].s - line);
	}
	for (k = 0; k < n && !v->spoken; k++)
		if (is_tag_word(&it[k]))
			look_at_tag(it, n, k, v, used);
	if (v->spoken)
		look_for_missed(it, n, v, used);
	free(used);
	free(it);
}

unsigned int scan_vlan_cell(const char *cell)
{
	const char *word;
	size_t len = scan_word(&cell, &word);
	int id = vlan_number(word, len);

	while (*cell && strchr(" \"'*`", *cell))
		cell++;
	return id > 0 && !*cell ? id : 0;
}

bool scan_is_vlan(const char *text)
{
	const char *word;
	size_t len;

	while ((len = scan_word(&text, &word)))
		if (scan_is_one_of(word, len, VLAN_WORDS))
			return true;
	return false;
}
