/* filters.h: a session's filters, with program files known by the name given and by their real path.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_FILTERS_H
#define RSM_BUILTIN_FILTERS_H

#include "core/filter.h"
#include "os/files.h"

typedef struct rsm__filters {
  rsm_filter_list given; /* as named, made absolute */
  rsm_filter_list real;  /* program files whose real path, services whose short name is another; the same actions */
} rsm__filters;

void rsm__filters_init(rsm__filters *filters);
void rsm__filters_done(rsm__filters *filters);
/* A process is bound, a program file made absolute, when it is named: a later chdir or recycled pid changes nothing. */
rsm_status rsm__filters_add(rsm__filters *filters, rsm__lookup *lookup, const rsm_filter *filter, rsm_error *reterr);
rsm_status rsm__filters_remove(rsm__filters *filters, rsm__lookup *lookup, const rsm_filter *filter, rsm_error *reterr);
/* Sets the masked bits that the filters ask for. */
void rsm__filters_mask(const rsm__filters *filters, rsm_app *app);

#endif
