/* scan_bpf_off.c: stands for scan_bpf.c and what belongs to it in a build without BPF (RSM_BPF=OFF).
 * SPDX-License-Identifier: MIT */
#include "os/linux/scan.h"
#include "os/linux/scanner.h"
#include "os/linux/walker.h"

bool rsm__walker_permitted(void) {
  return false;
}

bool rsm__walker_loaded(void) {
  return false;
}

rsm_status rsm__scan_bpf(rsm__scan *scan, rsm_error *reterr) {
  (void)scan;
  (void)reterr;
  rsm__scanner_tell(false, "this build is without it (RSM_BPF=OFF)");
  return RSM_OK;
}
