/* Why an attempt failed, in words for a person. */
#ifndef CK_REASON_H
#define CK_REASON_H

#include "transfer.h"

/* Returns the reason, a literal. */
const char *ck_reason_of(const struct ck_response *response);

/*
** Returns libcurl's message about an attempt that has sent nothing, or NULL. The message names the
** host, or the fault of a certificate. The response owns it.
*/
const char *ck_reason_detail(const struct ck_response *response);

/* Returns what the user may do about it, a literal; NULL if there is no advice. */
const char *ck_reason_advice(const struct ck_response *response);

#endif
