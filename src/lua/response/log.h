/*
** The log that CEKURA_LOG requests: one line on stderr per attempt.
*/
#ifndef CK_LOG_H
#define CK_LOG_H

#include "contract/contract.h"
#include "http/exchange.h"
#include "lua/request/problems.h"
#include "lua/system/secret.h"

enum ck_log_level {
  CK_LOG_NONE,
  CK_LOG_INFO,
  CK_LOG_DEBUG /* with the bodies of requests and responses */
};

/* Returns the level that CEKURA_LOG names; adds a problem if it names an unknown one. */
enum ck_log_level ck_log_level(struct ck_problems *problems);

/* Writes a line about the attempt that has just ended, without the key. Does not raise. */
void ck_log_attempt(enum ck_log_level level, struct ck_transport *transport,
                    const struct ck_exchange *exchange, const struct ck_secret *key);

#endif
