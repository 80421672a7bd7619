/*
** The API as data: one row per endpoint, one row per field. Everything that depends on an endpoint
** reads these rows: the checks, the writer, cekura.endpoints, the types, the reference, the
** sandbox.
**
** The source of each fact is Cekura's OpenAPI document of the operation named in `operation`. A
** comment at a row gives the reason if the row differs from the document.
*/
#ifndef CK_CONTRACT_H
#define CK_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>

/* The values that a field accepts, and their form on the wire. A query has lists as 1,2,3. */
enum ck_type {
  CK_TYPE_ID,          /* a positive integer up to 2^63-1, sent as an integer */
  CK_TYPE_ID_LIST,     /* a list of ids, sent as JSON integers */
  CK_TYPE_ID_STRINGS,  /* a list of ids, sent as JSON strings: "5544" */
  CK_TYPE_INTEGER,     /* an integer, at least `minimum` */
  CK_TYPE_INT32,       /* an integer from -2^31 to 2^31-1 */
  CK_TYPE_NUMBER,      /* a finite number */
  CK_TYPE_STRING,      /* UTF-8 text */
  CK_TYPE_STRING_LIST, /* a list of texts; only in a body, because a text may contain a comma */
  CK_TYPE_TIME,        /* a date and time as in RFC 3339: "2025-01-01T00:00:00Z" */
  CK_TYPE_ENUM,        /* one of `values` */
  CK_TYPE_ENUM_LIST,   /* a list of `values` */
  CK_TYPE_BOOLEAN,
  CK_TYPE_SELECTION,   /* the fields that a response has: "{id,metadata{ended_reason}}" */
  CK_TYPE_OBJECT_LIST, /* a list of objects with `fields` */
  CK_TYPE_JSON_TEXT,   /* a JSON object or its text, sent as text; only in a query */
  CK_TYPE_ANY,         /* any JSON value */
  CK_TYPE_ANY_LIST     /* a list of any JSON values */
};

enum ck_place { CK_PLACE_PATH, CK_PLACE_QUERY, CK_PLACE_BODY };

struct ck_field {
  const char *name; /* as the API names it; in a path, the name between the braces */
  enum ck_type type;
  enum ck_place place;
  bool required;                 /* must be present; may be null if it is nullable */
  bool nullable;                 /* accepts cekura.null */
  bool one_of;                   /* of the two fields with this mark exactly one is required */
  bool counted;                  /* a list whose length multiplies the number of evaluations */
  unsigned minimum;              /* of an integer; 0 = no minimum */
  unsigned min_length;           /* of a string, in bytes */
  unsigned max_length;           /* of a string, in code points; 0 = no limit */
  unsigned min_items;            /* of a list */
  unsigned max_items;            /* of a list; 0 = no limit */
  const char *const *values;     /* of an enum, ends with NULL */
  const struct ck_field *fields; /* of the objects in a list */
  size_t field_count;
  const char *doc;
};

struct ck_endpoint {
  const char *name;      /* "runs.mark_metric_vote" */
  const char *resource;  /* "runs" */
  const char *call;      /* "mark_metric_vote" */
  const char *operation; /* the document's operationId */
  const char *method;
  const char *path; /* with {field} for each field in the path */
  bool spends_credits;
  bool idempotent;     /* sending it twice has the effect of sending it once */
  bool large_response; /* the response is requested compressed, which costs 8,000 instructions */
  bool at_least;       /* the product of the counted lists is a lower bound */
  bool partial;        /* an update, which changes only the given fields and needs at least one */
  const char *range_from, *range_to; /* the fields of a range of times; NULL = none */
  unsigned range_days;               /* the longest range */
  const char *summary;
  const char *returns;
  const struct ck_field *fields; /* in the order in which they are checked and written */
  size_t field_count;
};

/* Returns whether its calls only read, so that the server never acts on one. */
bool ck_endpoint_reads(const struct ck_endpoint *endpoint);

extern const struct ck_endpoint ck_endpoints[];
extern const size_t ck_endpoint_count;

/* Return the type and the type of a list's items, in the words of JSON Schema. */
const char *ck_type_name(enum ck_type type);
const char *ck_type_items(enum ck_type type); /* NULL unless a list */

/* Returns the format of the value, or of a list's items: "id", "date-time"; or NULL. */
const char *ck_type_format(enum ck_type type);

#endif
