/* classify.h: what a process is, and what stands in the way of stopping it. SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_CLASSIFY_H
#define RSM_BUILTIN_CLASSIFY_H

#include "builtin/services.h"
#include "core/plan.h"
#include "os/process.h"
#include "os/registration.h"

typedef struct rsm__classifier {
  rsm__arena arena;
  rsm__carriers carriers;
  rsm__registrations *registrations;
  rsm__service_groups *groups; /* borrowed: asks each service's manager once */
} rsm__classifier;

rsm_status rsm__classifier_init(rsm__classifier *classifier, const rsm_process *stoppable, size_t count,
                                rsm__service_groups *groups, rsm_error *reterr);
void rsm__classifier_done(rsm__classifier *classifier);

typedef struct rsm__subject {
  rsm__process_facts facts;
  rsm_app app;                 /* all but its uses; text in the arena */
  rsm__service_group *service; /* the service that it is a process of; then app is not a complete entry. NULL: none */
} rsm__subject;

/* RSM_NOT_FOUND: it ended meanwhile. */
rsm_status rsm__classify(const rsm__classifier *classifier, const rsm__process *process, rsm__arena *arena,
                         rsm__subject *ret_subject, rsm_error *reterr);

#endif
