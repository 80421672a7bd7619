/*
** The API as data: one row an endpoint, one row a field. Everything that knows an
** endpoint by name reads these rows: the checks, the writer, `cekura.endpoints`, the
** type annotations, the reference page and the sandbox.
**
** Source of every fact here: Cekura's OpenAPI documents of the operations named in
** `operation`. Where a row says more than its document does, a comment says why.
*/
#ifndef CK_CONTRACT_H
#define CK_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>

/* What a field takes from the caller, and how it goes over the wire. */
enum ck_type {
  CK_TYPE_ID,         /* a positive integer up to 2^63-1, sent as an integer */
  CK_TYPE_ID_OR_SLUG, /* one of those, or a name of letters, digits, - and _; in a path only */
  CK_TYPE_ID_LIST,    /* a list of ids, sent as JSON integers; in a query joined by commas: 1,2,3 */
  CK_TYPE_ID_STRINGS, /* a list of ids, sent as JSON strings: "5544" */
  CK_TYPE_INTEGER,    /* any integer from `minimum` on */
  CK_TYPE_STRING,     /* UTF-8 text */
  CK_TYPE_STRING_LIST, /* a list of those */
  CK_TYPE_TIME,        /* a date and time as in RFC 3339: "2025-01-01T00:00:00Z" */
  CK_TYPE_ENUM,        /* one of `values` */
  CK_TYPE_BOOLEAN,
  CK_TYPE_OBJECT,    /* a JSON object */
  CK_TYPE_JSON_TEXT, /* a JSON object, sent as its text, or that text; in a query only */
  CK_TYPE_ANY        /* any JSON value */
};

enum ck_place { CK_PLACE_PATH, CK_PLACE_QUERY, CK_PLACE_BODY };

struct ck_field {
  const char *name; /* as the API names it; in a path, the name between the braces */
  enum ck_type type;
  enum ck_place place;
  bool required;             /* must be present, if only as null */
  bool nullable;             /* takes cekura.null */
  bool one_of;               /* exactly one of the endpoint's fields with this mark must be given */
  bool counted;              /* a list whose length multiplies the evaluations that a call starts */
  unsigned minimum;          /* of an integer; 0 = none, it may be negative */
  unsigned min_length;       /* of a string, in bytes */
  unsigned min_items;        /* of a list */
  unsigned max_items;        /* of a list; 0 = no limit */
  const char *const *values; /* of an enum, ends with NULL */
  const char *doc;
};

struct ck_endpoint {
  const char *name;      /* "runs.mark_metric_vote" */
  const char *resource;  /* "runs" */
  const char *call;      /* "mark_metric_vote" */
  const char *operation; /* operationId of the document */
  const char *method;
  const char *path; /* with {field} for each field in the path */
  bool spends_credits;
  bool idempotent;   /* sent twice, it leaves the server as sent once */
  bool large_answer; /* worth asking for compression, which costs 8,000 instructions a call */
  bool at_least;     /* the product of the counted lists is a lower bound */
  bool partial;      /* an update: only fields that are given change, so one of them must be */
  const char *summary;
  const char *returns;
  const struct ck_field *fields; /* in the order in which they are checked and written */
  size_t field_count;
};

/* Whether the server acts on no call of it, whatever becomes of the call. */
bool ck_endpoint_reads(const struct ck_endpoint *endpoint);

extern const struct ck_endpoint ck_endpoints[];
extern const size_t ck_endpoint_count;

/* The type and, for a list, the type of its items, in the words of JSON Schema. */
const char *ck_type_name(enum ck_type type);
const char *ck_type_items(enum ck_type type); /* NULL unless a list */

/* What the type alone does not say of it, or of a list's items: "id", "date-time"; or NULL. */
const char *ck_type_format(enum ck_type type);

#endif
