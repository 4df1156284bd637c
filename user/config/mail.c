// SPDX-License-Identifier: GPL-2.0
/* The links that a mail tells of: which addresses belong together, and whose. */
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/out.h"
#include "config/scan.h"
#include "config/mail-text.h"
#include "config/mail.h"

#define BLANKS " \t"

/* An address with its length, and what the mail says around it. */
struct found {
	struct addr addr;
	unsigned int line;
	char label[80];		/* what it's said to be */
	char name[64];		/* whose, when it's a name of somebody */
	int side;		/* > 0: Cloudflare's, < 0: ours, by how sure */
	int version;		/* that its label says: 4, 6, or 0 */
	bool tunnel;		/* it's said to be of a tunnel */
	bool taken;
	unsigned int also_line;	/* where somebody else has it, too; 0: nowhere */
	char also[64];
};

/* A first and a second end, each an index of found. */
struct pair {
	unsigned int cloudflare, ours;
};

struct parser {
	const char *name;
	char *why;
	size_t why_size;
	mail_note_fn *note;
	void *arg;
	struct mail *mail;

	struct found *found;
	unsigned int n;
	struct found *bare;	/* those without a length */
	unsigned int n_bare;
	unsigned int told_len[2];	/* that stands alone, for v4, v6 */
	struct pair *pairs;
	unsigned int n_pairs;
	/* What looks as if it were to be an address: by v4, v6. */
	char complaint[2][240];
	unsigned int complaint_line[2];

	/* Around the line of the moment. */
	const char *heading;	/* that says whose the next addresses are */
	bool tunnel_heading;
	const char *header;	/* a table's first row */
	bool vlan_open;
};

static unsigned int is6(const struct addr *a)
{
	return a->family == AF_INET6;
}

static int __attribute__((format(printf, 3, 4)))
refuse(struct parser *p, unsigned int line, const char *fmt, ...)
{
	char where[PATH_MAX];
	va_list ap;
	int n;

	n = snprintf(where, sizeof(where), "%s", p->name);
	if (line && n < PATH_MAX)
		snprintf(where + n, sizeof(where) - n, ":%u", line);
	va_start(ap, fmt);
	out_refuse(p->why, p->why_size, where, fmt, ap);
	va_end(ap);
	return -1;
}

static void __attribute__((format(printf, 3, 4)))
note(struct parser *p, unsigned int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text), "%.200s:%u: ", p->name, line);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	out_clean(text);
	if (p->note)
		p->note(p->arg, text);
}

/* Of the words that say nothing of whose an address is. */
#define GENERAL_WORDS "v4 v6 ipv4 ipv6 ip ip4 ip6 inet inet6 ips address " \
	"addresses addr addrs interface iface intf link peering p2p ptp point " \
	"to prefix subnet network net primary side end ends endpoint is are be " \
	"will use uses using the a an for of on at by as s pair cidr version " \
	"protocol host wan belongs and with router edge peer gateway device"
#define OUR_WORDS "your yours you customer customers client clients cust"
/* Of somebody who isn't named. */
#define NO_NAMES OUR_WORDS " our ours us local remote peer their theirs " \
	"router neighbor neighbour"
#define TUNNEL_WORDS "gre tunnel tunnels inside inner ipsec"

static bool is_cloudflare(const char *word, size_t len)
{
	if (len >= 10 && !strncasecmp(word, "cloudflare", 10))
		return true;
	return scan_is_one_of(word, len, "cf cfs cfv4 cfv6 13335 as13335");
}

/* 4, 6, or 0 for neither, of a word such as "IPv6" or "CFv4". */
static int version_of(const char *word, size_t len)
{
	if (scan_is_one_of(word, len, "ip4 inet"))
		return 4;
	if (scan_is_one_of(word, len, "ip6 inet6"))
		return 6;
	if (len < 2 || tolower(word[len - 2]) != 'v')
		return 0;
	if (len > 2 && strncasecmp(word, "ip", 2) && !is_cloudflare(word, len))
		return 0;
	return word[len - 1] == '4' ? 4 : word[len - 1] == '6' ? 6 : 0;
}

static bool is_general(const char *word, size_t len)
{
	return scan_is_one_of(word, len, GENERAL_WORDS) ||
	       (version_of(word, len) && !is_cloudflare(word, len));
}

static bool is_number(const char *word, size_t len)
{
	return strspn(word, "0123456789.") >= len;
}

static int side_of(const char *word, size_t len)
{
	if (is_cloudflare(word, len))
		return 1;
	return scan_is_one_of(word, len, OUR_WORDS) ? -1 : 0;
}

/* What the words of a label say. */
struct says {
	unsigned int words;	/* that aren't general */
	int first, last, sum;	/* sides of these */
	int version;		/* 0 when it says both */
	bool tunnel;
};

static struct says says(const char *text)
{
	bool has[2] = {};
	struct says r = {};
	const char *word;
	size_t len;
	int side;

	while ((len = scan_word(&text, &word))) {
		if (version_of(word, len))
			has[version_of(word, len) == 6] = true;
		if (scan_is_one_of(word, len, TUNNEL_WORDS))
			r.tunnel = true;
		side = side_of(word, len);
		if (is_general(word, len) || (!side && is_number(word, len)))
			continue;
		if (!r.words++)
			r.first = side;
		r.last = side;
		r.sum += side;
	}
	if (has[0] != has[1])
		r.version = has[1] ? 6 : 4;
	return r;
}

/* How sure a label is of a side: 2 when it begins with it. */
static int label_side(const char *text)
{
	struct says r = says(text);

	return r.first ? 2 * r.first : r.sum > 0 ? 1 : r.sum < 0 ? -1 : 0;
}

/*
 * Of text that goes over into the address only the last word counts, and what
 * is in brackets where there is nothing else.
 */
static int prose_side(const char *text)
{
	char plain[160];
	size_t n = 0, depth = 0;
	const char *s;
	struct says r;

	for (s = text; *s && n < sizeof(plain) - 1; s++) {
		depth += *s == '(';
		plain[n++] = depth ? ' ' : *s;
		depth -= depth && *s == ')';
	}
	plain[n] = '\0';
	r = says(plain);
	if (!r.words)
		r = says(text);
	return r.words <= 1 ? 2 * r.last : r.last;
}

static bool is_inner(char c)
{
	return isalnum((unsigned char)c) || c & 0x80;
}

/* Copies [@from, @to) without marks, bullets and numbering around it. */
static void tidy(char *label, size_t size, const char *from, const char *to)
{
	const char *p;

	for (;;) {
		while (from < to && !is_inner(*from))
			from++;
		for (p = from; p < to && isdigit((unsigned char)*p); p++)
			;
		if (p == from && p + 1 < to && strchr(")]", p[1]) &&
		    isalpha((unsigned char)*p))
			p++;
		/* An item's number, or the bullet that some programs make. */
		if (p > from && p - from < 3 && p < to && strchr(".)]", *p))
			from = p + 1;
		else if (to - from > 1 && *from == 'o' && strchr(BLANKS, from[1]))
			from++;
		else
			break;
	}
	while (to > from && !is_inner(to[-1]) && to[-1] != '.' && to[-1] != ')')
		to--;
	while (to > from && to[-1] == ')' && !memchr(from, '(', to - from))
		to--;
	if ((size_t)(to - from) >= size)
		to = from + size - 1;
	/* No half of a character. */
	while (to > from && (*to & 0xc0) == 0x80)
		to--;
	memcpy(label, from, to - from);
	label[to - from] = '\0';
}

/* Whose name a label has: what is left without general words at its end. */
static void take_name(char *name, size_t size, const char *label)
{
	const char *s = label, *word, *from = NULL, *to = label, *other;
	size_t len, i;
	char rest[80];

	while ((len = scan_word(&s, &word))) {
		if (is_general(word, len))
			continue;
		if (!from)
			from = word;
		to = word + len;
	}
	name[0] = '\0';
	if (!from)
		return;
	/* "Example Networks, Inc." keeps its dot. */
	if (*to == '.' || (*to == ')' && memchr(from, '(', to - from)))
		to++;
	tidy(rest, sizeof(rest), from, to);
	other = rest;
	for (i = 0; (len = scan_word(&other, &word)); i++)
		if (side_of(word, len) ||
		    (!i && scan_is_one_of(word, len, NO_NAMES)))
			return;
	if (i && i < 7 && strlen(rest) < size &&
	    !is_number(rest, strlen(rest)))
		strcpy(name, rest);
}

/* How a table's cells are set apart in @line; 0 for no table. */
static char separator(const char *line)
{
	if (strchr(line, '\t'))
		return '\t';
	if (strchr(line, '|'))
		return '|';
	if (strchr(line, ';'))
		return ';';
	if (strstr(line + strspn(line, " "), "  "))
		return ' ';
	return strchr(line, ',') ? ',' : 0;
}

/* Moves *@s to the end of the cell that begins there. */
static void pass_cell(const char **s, char sep)
{
	bool quoted = false;

	for (; **s; (*s)++) {
		if (**s == '"')
			quoted = !quoted;
		if (quoted && strchr(*s + 1, '"'))
			continue;
		if (sep == ' ' ? !strncmp(*s, "  ", 2) : **s == sep)
			return;
	}
}

static const char *next_cell(const char *s, char sep)
{
	return s + (sep == ' ' ? strspn(s, " ") : 1);
}

static unsigned int cell_at(const char *line, size_t pos, char sep)
{
	const char *s = sep == ' ' ? line + strspn(line, " ") : line;
	unsigned int i = 0;

	for (;; i++) {
		pass_cell(&s, sep);
		if (!*s || (size_t)(s - line) >= pos)
			return i;
		s = next_cell(s, sep);
	}
}

static void get_cell(const char *line, unsigned int i, char sep, char *cell,
		     size_t size)
{
	const char *s = sep == ' ' ? line + strspn(line, " ") : line, *end;

	cell[0] = '\0';
	for (;;) {
		end = s;
		pass_cell(&end, sep);
		if (!i--)
			break;
		if (!*end)
			return;
		s = next_cell(end, sep);
	}
	tidy(cell, size, s, end);
}

/*
 * The cell of @line for what stands at @pos of another row: below one another
 * where blanks set them apart, by number elsewhere.
 */
static void cell_for(const char *line, const char *row, size_t pos, char sep,
		     char *cell, size_t size)
{
	const char *s = line + strspn(line, " ");
	unsigned int i, best = 0;
	size_t gap, least = SIZE_MAX;

	if (sep != ' ') {
		get_cell(line, cell_at(row, pos, sep), sep, cell, size);
		return;
	}
	for (i = 0; *s; i++) {
		gap = (size_t)(s - line) > pos ? s - line - pos :
						 pos - (s - line);
		if (gap < least) {
			least = gap;
			best = i;
		}
		pass_cell(&s, sep);
		s = next_cell(s, sep);
	}
	get_cell(line, best, sep, cell, size);
}

/* Whether a table's first row says whose its columns are. */
static bool header_has_sides(const struct parser *p, const char *line)
{
	char sep = separator(line), cell[80];
	unsigned int i;

	if (!p->header || !sep || separator(p->header) != sep)
		return false;
	for (i = 0; i <= cell_at(p->header, strlen(p->header), sep); i++) {
		get_cell(p->header, i, sep, cell, sizeof(cell));
		if (label_side(cell))
			return true;
	}
	return false;
}

static void use_label(struct found *f, const char *label, int side)
{
	f->side = side;
	snprintf(f->label, sizeof(f->label), "%.79s", label);
	take_name(f->name, sizeof(f->name), label);
}

/* A remark in brackets is of the address before it. */
static const char *past_remark(const char *s)
{
	const char *end = s + strspn(s, BLANKS);
	unsigned int depth = 0;

	if (*end != '(' && *end != '[')
		return s;
	for (; *end; end++) {
		depth += *end == '(' || *end == '[';
		if (*end == ')' || *end == ']')
			if (!--depth)
				return end + 1;
	}
	return s;
}

/* What is said behind: all of it a label, such as "(Cloudflare)". */
static bool use_after(struct found *f, const char *from, const char *to)
{
	char label[80];
	const char *end, *s, *word;
	bool closed, set_apart;
	struct says r;
	size_t len;

	from += strspn(from, BLANKS);
	set_apart = from < to && strchr("([-=", *from);
	from += strspn(from, BLANKS ":=>-");
	closed = from < to && strchr("([", *from);
	end = closed ? past_remark(from) : from;
	while (!closed && end < to && !strchr("()[];,|\t#", *end) &&
	       strncasecmp(end, " and ", 5))
		end++;
	if (end > to || end - from > 60)
		return false;
	tidy(label, sizeof(label), from, end);
	r = says(label);
	if (!*label || !r.words)
		return false;
	for (s = label; (len = scan_word(&s, &word));)
		if (!is_general(word, len) && !side_of(word, len))
			break;
	if (len && (r.words > (r.sum ? 2 : 3) || !set_apart))
		return false;
	use_label(f, label, label_side(label));
	f->tunnel |= r.tunnel;
	return true;
}

/* A label ends in one of these, and in more than one blank. */
static bool is_firm(const char *from, const char *to)
{
	const char *end = to;

	while (end > from && strchr(" *`_\"'(<", end[-1]))
		end--;
	return end > from && (strchr(":=|\t;,->", end[-1]) || to - end > 1);
}

enum style {
	BEFORE,			/* labels are in front of the addresses */
	BEHIND,
	UNCLEAR,		/* they could be either */
};

/* Of a line with several addresses. */
static enum style style_of(const char *line, const struct token *t, size_t n)
{
	const char *last = line + t[n - 1].end, *from, *to;
	char label[160];
	struct says first, behind, between;
	size_t i;

	tidy(label, sizeof(label), line, line + t[0].start);
	first = says(label);
	tidy(label, sizeof(label), last, last + strlen(last));
	behind = says(label);
	if (n < 2 || first.first || first.last || !behind.words)
		return BEFORE;
	between.words = 0;
	between.sum = 0;
	for (i = 1; i < n; i++) {
		from = line + t[i - 1].end;
		to = line + t[i].start;
		tidy(label, sizeof(label), from, to);
		if (!between.words && !between.sum)
			between = says(label);
		while (to > from && strchr(" *`_\"'(<", to[-1]))
			to--;
		if (to > from && strchr(":=", to[-1]))
			return BEFORE;
	}
	last += strspn(last, BLANKS);
	if (!first.words || behind.first || strchr("([-=<", *last))
		return BEHIND;
	return between.sum && behind.words <= 3 && !scan_is_vlan(last) ?
	       UNCLEAR : BEFORE;
}

/*
 * What the address @f at @t[@i] of @line is said to be: in front of it, behind
 * it, above its column, or in a heading.
 */
static void find_label(struct parser *p, struct found *f, const char *line,
		       const struct token *t, size_t n, size_t i,
		       const struct found *before, enum style style)
{
	const char *from = i ? past_remark(line + t[i - 1].end) : line, *cut;
	const char *to = line + t[i].start;
	const char *end = line + (i + 1 < n ? t[i + 1].start : strlen(line));
	char label[160], cell[80], sep = separator(line);
	struct says r;

	/* Between two the last clause is of the second. */
	for (cut = to; i && cut > from + 1; cut--)
		if (strchr(";,|\t", cut[-1]) && cut < to) {
			tidy(label, sizeof(label), cut, to);
			if (*label) {
				from = cut;
				break;
			}
		}
	/* A program made a link of it. */
	if (to > from + 3 && !strncmp(to - 3, "://", 3))
		for (to -= 3; to > from && isalpha((unsigned char)to[-1]); to--)
			;
	/* There's an address in the remark. */
	if (from > to)
		from = line + t[i - 1].end;
	tidy(label, sizeof(label), from, to);
	r = says(label);
	f->version = is_firm(from, to) ? r.version : 0;
	f->tunnel = r.tunnel || p->tunnel_heading;
	if (header_has_sides(p, line)) {
		cell_for(p->header, line, t[i].start, sep, cell, sizeof(cell));
		f->tunnel |= says(cell).tunnel;
		if (*cell && says(cell).words) {
			use_label(f, cell, label_side(cell));
			return;
		}
	}
	if (style == UNCLEAR)
		return;
	if (style == BEHIND) {
		if (use_after(f, line + t[i].end, end))
			return;
		/* What is in front of it is of the one before, or of both. */
		r.words = 0;
	}
	if (r.words) {
		use_label(f, label, is_firm(from, to) ? label_side(label) :
							prose_side(label));
		cut = strpbrk(line + t[i].end, ";,");
		if (!f->side && (r.words > 4 || !is_firm(from, to)) &&
		    (i + 1 == n || (cut && cut < end)))
			use_after(f, line + t[i].end, end);
		return;
	}
	if (past_remark(line + t[i].end) > line + t[i].end &&
	    use_after(f, line + t[i].end, end) && f->side)
		return;
	if (style == BEFORE && i + 1 == n && !before &&
	    use_after(f, line + t[i].end, end) && f->side)
		return;
	/* In a row of a table the first cell says it for all. */
	if (before && *before->label) {
		use_label(f, before->label, before->side);
		return;
	}
	/* What is said of one counts before a sentence on all. */
	if (p->heading && says(p->heading).words > 2 &&
	    use_after(f, line + t[i].end, end))
		return;
	if (p->heading) {
		tidy(label, sizeof(label), p->heading,
		     p->heading + strlen(p->heading));
		use_label(f, label, label_side(label));
	} else if (!*f->label) {
		snprintf(f->label, sizeof(f->label), "%.79s", label);
	}
}

static void complain(struct parser *p, bool v6, unsigned int line,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Counts when there is no pair of that version otherwise. */
static void complain(struct parser *p, bool v6, unsigned int line,
		     const char *fmt, ...)
{
	va_list ap;

	if (p->complaint_line[v6])
		return;
	p->complaint_line[v6] = line;
	va_start(ap, fmt);
	vsnprintf(p->complaint[v6], sizeof(p->complaint[v6]), fmt, ap);
	va_end(ap);
}

/* "Acme v4: " and then no address with its length. */
static void look_at_value(struct parser *p, const struct mail_line *l)
{
	char label[80], value[80];
	const char *colon = strrchr(l->text, ':'), *s;
	struct addr a;
	enum addr_error e;
	int version;

	for (s = l->text; (s = strchr(s, ':')); s++)
		if (!s[1 + strspn(s + 1, "*`")] ||
		    strchr(BLANKS, s[1 + strspn(s + 1, "*`")])) {
			colon = s;
			break;
		}
	if (!colon || colon - l->text > 79)
		return;
	tidy(label, sizeof(label), l->text, colon);
	version = says(label).version;
	if (!version || !says(label).words)
		return;
	s = colon + 1 + strspn(colon + 1, BLANKS "*`");
	snprintf(value, sizeof(value), "%s", s);
	while (*value && strchr(BLANKS "*|`,;", value[strlen(value) - 1]))
		value[strlen(value) - 1] = '\0';
	if (!*value || strpbrk(value, BLANKS)) {
		complain(p, version == 6, l->number, "'%s' after '%s:' isn't one address with its length",
			 value, label);
		return;
	}
	e = addr_parse_prefix(value, &a);
	complain(p, version == 6, l->number, "'%s' %s", value,
		 addr_strerror(e ? e : ADDR_BAD));
}

static void add_vlan(struct parser *p, unsigned int id, unsigned int line)
{
	struct mail *m = p->mail;
	unsigned int i;

	for (i = 0; i < m->n_vlans; i++)
		if (m->vlans[i].id == id)
			return;
	if (m->n_vlans == MAIL_MAX_VLANS) {
		note(p, line, "VLAN %u isn't taken: there are too many", id);
		return;
	}
	m->vlans[m->n_vlans++] = (struct mail_vlan) { id, line };
}

/* Those of columns with a header that says so. */
static bool take_vlan_cells(struct parser *p, const struct mail_line *l)
{
	char sep = separator(l->text), cell[80];
	const char *s, *end;
	unsigned int id;
	bool any = false;

	if (!p->header || !sep || separator(p->header) != sep)
		return false;
	s = p->header + (sep == ' ' ? strspn(p->header, " ") : 0);
	for (;; s = next_cell(end, sep)) {
		end = s;
		pass_cell(&end, sep);
		tidy(cell, sizeof(cell), s, end);
		if (!scan_is_vlan(cell)) {
			if (!*end)
				break;
			continue;
		}
		cell_for(l->text, p->header, s - p->header, sep, cell,
			 sizeof(cell));
		id = scan_vlan_cell(cell);
		if (id)
			add_vlan(p, id, l->number);
		else if (strpbrk(cell, "0123456789"))
			note(p, l->number, "the VLAN '%s' isn't taken: an ID is a number from 1 to 4094",
			     cell);
		any |= strpbrk(cell, "0123456789") != NULL;
		if (!*end)
			break;
	}
	return any;
}

static void take_vlans(struct parser *p, const struct mail_line *l,
		       const struct token *t, size_t n)
{
	struct vlan_scan v;
	unsigned int i;

	scan_vlans(l->text, t, n, p->vlan_open && !l->hidden, &v);
	for (i = 0; i < v.n; i++) {
		if (l->hidden)
			note(p, l->number, "VLAN %u isn't taken: no reader of the mail sees it",
			     v.ids[i]);
		else
			add_vlan(p, v.ids[i], l->number);
	}
	if (v.missed && !l->hidden && v.n)
		note(p, l->number, "only VLAN %u is taken from '%.120s'",
		     v.ids[0], l->text);
	else if (v.missed && !l->hidden)
		note(p, l->number, "no VLAN is taken from '%.120s': if there is one in it, --vlan says it",
		     l->text);
	if (!l->hidden && l->text[strspn(l->text, BLANKS)])
		p->vlan_open = v.open;
}

static const struct found *same_as(const struct parser *p,
				   const struct addr *a)
{
	unsigned int i;

	for (i = 0; i < p->n; i++)
		if (addr_same(&p->found[i].addr, a) &&
		    p->found[i].addr.len == a->len)
			return &p->found[i];
	return NULL;
}

/* Told again: what is surer counts. Two that say the opposite are refused. */
static int take_again(struct parser *p, struct found *was,
		      const struct found *f)
{
	if (was->side * f->side < 0)
		return refuse(p, f->line, "%s is %s here, but %s in line %u: whose is it?",
			      addr_prefix_str(&f->addr),
			      f->side > 0 ? "Cloudflare's" : "ours",
			      f->side > 0 ? "ours" : "Cloudflare's", was->line);
	/* Somebody's, and Cloudflare's: that may be a slip. */
	if (was->side > 0 && !f->side && *f->name) {
		was->also_line = f->line;
		strcpy(was->also, f->name);
	}
	if (abs(f->side) > abs(was->side) ||
	    (f->side == was->side && !*was->name && *f->name)) {
		was->side = f->side;
		was->line = f->line;
		strcpy(was->label, f->label);
		strcpy(was->name, f->name);
	}
	was->tunnel &= f->tunnel;
	return 0;
}

static int take_address(struct parser *p, struct found *f)
{
	const struct found *was = same_as(p, &f->addr);
	int v = is6(&f->addr) ? 6 : 4;

	if (f->version && f->version != v)
		return refuse(p, f->line, "the label says v%d, but %s isn't an IPv%d address",
			      f->version, addr_prefix_str(&f->addr),
			      f->version);
	if (was)
		return take_again(p, (struct found *)was, f);
	if (!(p->n & (p->n - 1)))
		p->found = xrealloc(p->found, (p->n ? 2 * p->n : 1) *
						      sizeof(*p->found));
	p->found[p->n++] = *f;
	return 0;
}

/* One without a length, for which another line may tell it. */
static void keep_bare(struct parser *p, const struct found *f)
{
	unsigned int len;

	if (scan_mask(&f->addr, &len)) {
		if ((len | 1) == 31)
			p->told_len[0] = len;
		return;
	}
	/* Such as "::" in other text. */
	if (is6(&f->addr) && !f->addr.b[0])
		return;
	p->bare = xrealloc(p->bare, (p->n_bare + 1) * sizeof(*p->bare));
	p->bare[p->n_bare++] = *f;
}

static bool is_link_length(const struct addr *a)
{
	return a->len && (a->len | 1) == addr_bits(a) - 1;
}

/*
 * A length that stands alone is that of all that have none; a prefix that is
 * said to be nobody's is that of the addresses in it.
 */
static unsigned int length_of(const struct parser *p, const struct found *f)
{
	const struct found *net;
	struct addr a;
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		net = &p->found[i];
		a = addr_network(&net->addr);
		if (is_link_length(&net->addr) && !net->side &&
		    !*net->name && addr_covers(&a, &f->addr))
			return net->addr.len;
	}
	return p->told_len[is6(&f->addr)];
}

static int take_bare(struct parser *p)
{
	struct found *f;
	unsigned int i;

	for (i = 0; i < p->n_bare; i++) {
		f = &p->bare[i];
		f->addr.len = f->tunnel ? 0 : length_of(p, f);
	}
	for (i = 0; i < p->n_bare; i++) {
		f = &p->bare[i];
		if (f->addr.len && (f->side || *f->name)) {
			if (take_address(p, f))
				return -1;
			continue;
		}
		note(p, f->line, "%s isn't taken: it %s%s", addr_str(&f->addr),
		     addr_strerror(ADDR_NO_LEN), f->tunnel ?
		     "; a tunnel's ends go with --tunnel NAME,LOCAL,REMOTE" :
		     "");
		if (f->side || *f->name)
			complain(p, is6(&f->addr), f->line, "'%s' %s",
				 addr_str(&f->addr),
				 addr_strerror(ADDR_NO_LEN));
	}
	return 0;
}

/* What is nearly an address with a length. */
static void take_bad(struct parser *p, const struct mail_line *l,
		     const struct token *t)
{
	char text[80];
	bool v6;

	snprintf(text, sizeof(text), "%.*s", (int)(t->end - t->start),
		 l->text + t->start);
	v6 = strchr(text, ':') != NULL;
	complain(p, v6, l->number, "'%s' %s", text, addr_strerror(t->error));
	note(p, l->number, "'%s' isn't taken: it %s", text,
	     addr_strerror(t->error));
}

/* "Example Networks, Inc." is no sentence. */
static bool is_company(const char *text, size_t len)
{
	size_t k = len;

	while (k && is_inner(text[k - 1]))
		k--;
	return scan_is_one_of(text + k, len - k,
			      "inc ltd llc corp co ag sa kg plc bv srl sarl oy");
}

/* A line that is short, or ends with a colon, is about what follows. */
static bool is_heading(const char *text)
{
	struct says r = says(text);
	size_t len = strlen(text);

	while (len && strchr(BLANKS "*`_|>", text[len - 1]))
		len--;
	if (!r.words || !len)
		return false;
	if (text[len - 1] == '.' && !is_company(text, len - 1))
		return false;
	return text[len - 1] == ':' || (r.words <= 4 && text[len - 1] != ',');
}

/* Whether it's a row of the table that is being read. */
static bool is_below(const struct parser *p, const char *text)
{
	char sep = separator(text);

	return p->header && sep && separator(p->header) == sep &&
	       (scan_is_vlan(p->header) || header_has_sides(p, text)) &&
	       (sep == ' ' || cell_at(p->header, strlen(p->header), sep) ==
				      cell_at(text, strlen(text), sep));
}

static void take_heading(struct parser *p, const char *text)
{
	char sep = separator(text), cell[80];

	if (!text[strspn(text, BLANKS)])
		return;
	/* A rule below a table's header. */
	if (!text[strspn(text, BLANKS "|-+=:_*")])
		return;
	if (!is_below(p, text))
		p->header = sep && cell_at(text, strlen(text), sep) ? text :
								      NULL;
	p->tunnel_heading = says(text).tunnel;
	if (p->header && sep != ',') {
		get_cell(text, 1, sep, cell, sizeof(cell));
		if (*cell && says(cell).words)
			return;
	}
	if (is_heading(text))
		p->heading = text;
}

static bool is_trace(const char *text)
{
	static const char *const headers[] = {
		"received:", "x-", "dkim-", "arc-", "authentication-",
		"message-id:", "return-path:", "references:", "in-reply-to:",
	};
	unsigned int i;

	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (!strncasecmp(text, headers[i], strlen(headers[i])) &&
		    strchr(text, ':'))
			return true;
	return false;
}

static int take_line(struct parser *p, const struct mail_line *l)
{
	const struct found *before = NULL;
	size_t n, i, n_prefix = 0;
	struct found f[64], *to;
	enum style style = BEFORE;
	unsigned int len;
	struct token *t;
	bool cells;
	int rc = 0;

	t = scan_addresses(l->text, &n);
	if (!is_trace(l->text)) {
		cells = !l->hidden && !scan_is_vlan(l->text) &&
			take_vlan_cells(p, l);
		if (!cells)
			take_vlans(p, l, t, n);
	}
	for (i = 0; i < n; i++)
		n_prefix += t[i].kind == TOKEN_PREFIX;
	if (n && !l->hidden)
		style = style_of(l->text, t, n);
	for (i = 0; i < n && !rc; i++) {
		if (t[i].kind == TOKEN_BAD ||
		    (t[i].kind == TOKEN_BARE && (l->hidden ||
						 is_trace(l->text)))) {
			if (t[i].kind == TOKEN_BAD && !l->hidden)
				take_bad(p, l, &t[i]);
			continue;
		}
		if (l->hidden) {
			if (!same_as(p, &t[i].addr))
				note(p, l->number, "%s isn't taken: no reader of the mail sees it",
				     addr_prefix_str(&t[i].addr));
			continue;
		}
		to = &f[i % 64];
		memset(to, 0, sizeof(*to));
		to->addr = t[i].addr;
		to->line = l->number;
		find_label(p, to, l->text, t, n, i, before, style);
		before = to;
		if (t[i].kind == TOKEN_PREFIX)
			rc = take_address(p, to);
		else
			keep_bare(p, to);
	}
	free(t);
	if (l->hidden || rc)
		return rc;
	len = n_prefix ? 0 : scan_length(l->text);
	if (len)
		p->told_len[len > 31] = len;
	if (!n_prefix)
		look_at_value(p, l);
	if (!n)
		take_heading(p, l->text);
	return 0;
}

static bool is_network(const struct addr *a)
{
	struct addr net = addr_network(a);

	return addr_same(a, &net);
}

/* Whether the two are what a link has, whoever they belong to. */
static bool are_pair(const struct found *a, const struct found *b)
{
	return is_link_length(&a->addr) && !addr_host_problem(&a->addr) &&
	       !addr_host_problem(&b->addr) &&
	       !addr_pair_problem(&a->addr, &b->addr);
}

static void find_pairs(struct parser *p)
{
	unsigned int a, b;

	p->pairs = xalloc((p->n + 1) * sizeof(*p->pairs));
	for (a = 0; a < p->n; a++)
		for (b = a + 1; b < p->n && !p->found[a].taken; b++) {
			if (p->found[b].taken ||
			    !are_pair(&p->found[a], &p->found[b]))
				continue;
			p->found[a].taken = true;
			p->found[b].taken = true;
			p->pairs[p->n_pairs++] = (struct pair) { a, b };
		}
}

static bool pair_is_tunnel(const struct parser *p, const struct pair *r)
{
	return p->found[r->cloudflare].tunnel && p->found[r->ours].tunnel;
}

static bool pair_is_clear(const struct parser *p, const struct pair *r)
{
	return p->found[r->cloudflare].side != p->found[r->ours].side;
}

static void let_go(struct parser *p, struct pair *r, const char *why)
{
	struct found *f[] = { &p->found[r->cloudflare], &p->found[r->ours] };
	unsigned int i;

	for (i = 0; i < 2; i++)
		note(p, f[i]->line, "%s isn't taken: %s",
		     addr_prefix_str(&f[i]->addr), why);
	r->cloudflare = r->ours;
}

/* Whose is whose; those of tunnels go, where there are others. */
static int choose_pairs(struct parser *p)
{
	const char *tunnel = "it's of a tunnel; --tunnel NAME,LOCAL,REMOTE,INSIDE sets that";
	unsigned int i, k, plain = 0, clear = 0, swap;
	struct found *a, *b;
	struct pair *r;

	for (i = 0; i < p->n_pairs; i++) {
		plain += !pair_is_tunnel(p, &p->pairs[i]);
		clear += !pair_is_tunnel(p, &p->pairs[i]) &&
			 pair_is_clear(p, &p->pairs[i]);
	}
	for (i = k = 0; i < p->n_pairs; i++) {
		r = &p->pairs[i];
		a = &p->found[r->cloudflare];
		b = &p->found[r->ours];
		if (plain && pair_is_tunnel(p, r)) {
			let_go(p, r, tunnel);
			continue;
		}
		if (!pair_is_clear(p, r)) {
			if (clear && !a->side && is6(&a->addr) ==
			    is6(&p->found[p->pairs[0].ours].addr) && i) {
				let_go(p, r, "nothing says whose it is");
				continue;
			}
			return refuse(p, b->line, a->side ?
				      "both %s (line %u) and %s are %s, it says: whose is which?" :
				      "whose is %s (line %u), and whose %s? 'Cloudflare' in front of %s says it",
				      addr_prefix_str(&a->addr), a->line,
				      addr_prefix_str(&b->addr),
				      a->side > 0 ? "Cloudflare's" :
				      a->side ? "ours" : "its own");
		}
		if (a->side < b->side) {
			swap = r->cloudflare;
			r->cloudflare = r->ours;
			r->ours = swap;
		}
		p->pairs[k++] = *r;
	}
	p->n_pairs = k;
	return 0;
}

static bool has_pair(const struct parser *p, bool v6)
{
	unsigned int i;

	for (i = 0; i < p->n_pairs; i++)
		if (is6(&p->found[p->pairs[i].ours].addr) == v6)
			return true;
	return false;
}

/* Whether it was to be one end of the link. */
static bool is_end(const struct found *f)
{
	return !f->taken && !f->tunnel &&
	       (is_link_length(&f->addr) ||
		(f->side > 1 && !is_network(&f->addr) &&
		 f->addr.len != addr_bits(&f->addr)) ||
		(f->side > 1 && addr_host_problem(&f->addr)));
}

static int refuse_same(struct parser *p, const struct found *f)
{
	return refuse(p, f->also_line, "%s and that of line %u are the same address: the two ends need one each",
		      addr_prefix_str(&f->addr), f->line);
}

/* There is one end, but no pair: why not? */
static int check_single(struct parser *p, bool v6)
{
	struct found *f, *a = NULL, *b = NULL;
	const char *bad;
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		f = &p->found[i];
		if (is6(&f->addr) != v6 || f->taken)
			continue;
		bad = addr_host_problem(&f->addr);
		if (bad && is_end(f))
			return refuse(p, f->line, "%s %s",
				      addr_prefix_str(&f->addr), bad);
		if (f->also_line)
			return refuse_same(p, f);
		if (!a && is_end(f))
			a = f;
	}
	if (!a && p->complaint_line[v6] &&
	    strpbrk(strchr(p->complaint[v6], '\'') ?: "", ".:"))
		return refuse(p, p->complaint_line[v6], "%s",
			      p->complaint[v6]);
	if (!a)
		return 0;
	for (i = 0; i < p->n && !b; i++) {
		f = &p->found[i];
		if (f != a && is6(&f->addr) == v6 && !f->taken &&
		    f->side != a->side && (is_end(f) || !is_network(&f->addr)))
			b = f;
	}
	if (!b && p->complaint_line[v6])
		return refuse(p, p->complaint_line[v6], "%s",
			      p->complaint[v6]);
	if (!b)
		return refuse(p, a->line, "%s's IPv%d address is missing: only %s is given",
			      a->side > 0 ? "your side" : "Cloudflare",
			      v6 ? 6 : 4, addr_prefix_str(&a->addr));
	if (b->line < a->line) {
		f = a;
		a = b;
		b = f;
	}
	bad = addr_pair_problem(&a->addr, &b->addr);
	return refuse(p, b->line, "%s and %s (line %u) %s",
		      addr_prefix_str(&b->addr), addr_prefix_str(&a->addr),
		      a->line, bad ? bad : "don't make a link");
}

static void note_rest(struct parser *p)
{
	struct found *f;
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		f = &p->found[i];
		if (f->taken)
			continue;
		if (f->tunnel)
			note(p, f->line, "%s isn't taken: it's of a tunnel; --tunnel NAME,LOCAL,REMOTE sets its ends",
			     addr_prefix_str(&f->addr));
		else if (is_link_length(&f->addr))
			note(p, f->line, "%s isn't taken: there is no other end of it",
			     addr_prefix_str(&f->addr));
		else
			note(p, f->line, "%s isn't taken: no link's end has this length",
			     addr_prefix_str(&f->addr));
	}
	for (i = 0; i < 2; i++)
		if (p->complaint_line[i] && !has_pair(p, i))
			note(p, p->complaint_line[i], "no IPv%d is taken: %s",
			     i ? 6 : 4, p->complaint[i]);
}

static struct mail_link *add_link(struct parser *p, unsigned int line)
{
	struct mail *m = p->mail;

	if (m->n_links == MAIL_MAX_LINKS)
		return NULL;
	m->links[m->n_links].line = line;
	return &m->links[m->n_links++];
}

static unsigned int distance(unsigned int a, unsigned int b)
{
	return a > b ? a - b : b - a;
}

/*
 * Of @n links with IPv4 the one that the IPv6 of @line goes with: the next one
 * where each has IPv6, the nearest elsewhere.
 */
static struct mail_link *nearest(struct mail *m, unsigned int n, bool each,
				 unsigned int line)
{
	struct mail_link *best = NULL;
	unsigned int i;

	for (i = 0; each && i < n; i++)
		if (!m->links[i].ours6.family)
			return &m->links[i];
	for (i = 0; i < n; i++)
		if (!m->links[i].ours6.family &&
		    (!best || distance(m->links[i].line, line) <
				      distance(best->line, line)))
			best = &m->links[i];
	return best;
}

static void set_name(struct parser *p, struct mail_link *l,
		     const struct found *ours)
{
	if (!*l->customer) {
		snprintf(l->customer, sizeof(l->customer), "%s", ours->name);
		return;
	}
	/* It's clear by the other end, but may be somebody else's mail. */
	if (*ours->name && strcasecmp(ours->name, l->customer))
		note(p, ours->line, "'%s' is taken for another name of '%s'",
		     ours->name, l->customer);
}

static int make_links(struct parser *p)
{
	struct mail *m = p->mail;
	struct found *c, *o;
	struct mail_link *l;
	unsigned int i, v6, n4 = 0;

	for (v6 = 0; v6 < 2; v6++) {
		for (i = 0; i < p->n_pairs; i++) {
			c = &p->found[p->pairs[i].cloudflare];
			o = &p->found[p->pairs[i].ours];
			if (is6(&o->addr) != v6)
				continue;
			l = v6 ? nearest(m, n4, n4 * 2 == p->n_pairs,
					 o->line) : NULL;
			if (!l)
				l = add_link(p, c->line < o->line ? c->line :
								    o->line);
			if (!l)
				return refuse(p, o->line, "more than %d links",
					      MAIL_MAX_LINKS);
			if (c->also_line && !strcasecmp(c->also, o->name))
				return refuse_same(p, c);
			*(v6 ? &l->cloudflare6 : &l->cloudflare4) = c->addr;
			*(v6 ? &l->ours6 : &l->ours4) = o->addr;
			set_name(p, l, o);
		}
		n4 = m->n_links;
	}
	/* A VLAN for each, in their order; or one for the only one. */
	if (m->n_vlans == m->n_links)
		for (i = 0; i < m->n_links; i++)
			m->links[i].vlan = m->vlans[i].id;
	return 0;
}

/* What comes before text that an answer quotes. */
static void unquote(char *s)
{
	size_t n = 0;

	while (s[n] == '>' || (s[n] == ' ' && strchr(s + n, '>') &&
			       s[n + strspn(s + n, " ")] == '>'))
		n++;
	if (n && s[n] == ' ')
		n++;
	memmove(s, s + n, strlen(s + n) + 1);
}

/* Where what can be the beginning of an address ends a line. */
static size_t tail_of(const char *s)
{
	static const char set[] = "0123456789abcdefABCDEF.:";
	size_t end = strlen(s), k;

	while (end && strchr(BLANKS, s[end - 1]))
		end--;
	k = end;
	if (k && s[k - 1] == '/') {
		k--;
		while (k && strchr(BLANKS, s[k - 1]))
			k--;
	}
	while (k && s[k - 1] && strchr(set, s[k - 1]))
		k--;
	/* "v6:2001:db8:" */
	if (k && isalnum((unsigned char)s[k - 1]))
		while (s[k] && s[k] != ':')
			k++;
	while (s[k] == ':' && s[k + 1] != ':')
		k++;
	return k;
}

/* Joins an address that a line's end cut in two. */
static void join(struct mail_line *a, struct mail_line *b)
{
	size_t k = tail_of(a->text), blanks = strspn(b->text, BLANKS), n, len;
	const char *next = b->text + blanks;
	struct token *t;
	char *text;
	bool whole, alone;

	n = strspn(next, "0123456789abcdefABCDEF.:/");
	len = strlen(a->text);
	while (len && strchr(BLANKS, a->text[len - 1]))
		len--;
	if (!n || k >= len)
		return;
	/* The next one begins with an address of its own. */
	t = scan_addresses(next, &n);
	alone = n && !t[0].start;
	free(t);
	t = scan_addresses(a->text + k, &n);
	whole = n && (t[0].kind == TOKEN_PREFIX || (alone && !t[0].start));
	free(t);
	if (whole)
		return;
	text = xalloc(len + strlen(next) + 1);
	memcpy(text, a->text, len);
	strcpy(text + len, next);
	t = scan_addresses(text + k, &n);
	whole = n && !t[0].start && t[0].kind == TOKEN_PREFIX &&
		t[0].end > len - k;
	free(t);
	if (!whole) {
		free(text);
		return;
	}
	free(a->text);
	a->text = text;
	b->text[0] = '\0';
}

static void prepare(struct mail_text *t)
{
	size_t i, next;

	for (i = 0; i < t->n; i++)
		if (!t->lines[i].hidden)
			unquote(t->lines[i].text);
	for (i = 0; i < t->n; i++) {
		for (next = i + 1; next < t->n && t->lines[next].hidden; next++)
			;
		if (!t->lines[i].hidden && next < t->n)
			join(&t->lines[i], &t->lines[next]);
	}
}

static int take_mail(struct parser *p, struct mail_text *t)
{
	size_t i;

	/* What nobody sees goes last: most of it only says the same again. */
	for (i = 0; i < t->n; i++)
		if (!t->lines[i].hidden && take_line(p, &t->lines[i]))
			return -1;
	for (i = 0; i < t->n; i++)
		if (t->lines[i].hidden && take_line(p, &t->lines[i]))
			return -1;
	if (take_bare(p))
		return -1;
	find_pairs(p);
	if (choose_pairs(p))
		return -1;
	for (i = 0; i < 2; i++)
		if (!has_pair(p, i) && check_single(p, i))
			return -1;
	note_rest(p);
	if (!p->n_pairs)
		return refuse(p, 0, "no IPv4 pair and no IPv6 pair found: lines such as 'Cloudflare v4: 192.0.2.10/31' and 'Acme v4: 192.0.2.11/31' are needed");
	return make_links(p);
}

int mail_parse(const char *bytes, size_t len, const char *name, struct mail *m,
	       mail_note_fn *note, void *arg, char *why, size_t why_size)
{
	struct parser p = {
		.name = name, .why = why, .why_size = why_size, .mail = m,
		.note = note, .arg = arg,
	};
	struct mail_text t;
	int rc;

	memset(m, 0, sizeof(*m));
	mail_text_read(bytes, len, &t);
	prepare(&t);
	rc = take_mail(&p, &t);
	mail_text_free(&t);
	free(p.found);
	free(p.bare);
	free(p.pairs);
	return rc;
}
