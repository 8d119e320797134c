/* scan_bpf_hooks.h: what a test makes go wrong with the walk in the kernel. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_SCAN_BPF_HOOKS_H
#define RSM_OS_LINUX_SCAN_BPF_HOOKS_H

#include <stdbool.h>

typedef enum rsm__bpf_fault {
  RSM__BPF_NO_FAULT,
  RSM__BPF_LOSES_OPEN,   /* records of descriptors are lost, */
  RSM__BPF_LOSES_MAPPED, /* of mappings, */
  RSM__BPF_LOSES_EXE,    /* of programs */
  RSM__BPF_DEAD_NODES,   /* the trees of mappings of all others change all the time, */
  RSM__BPF_DEAD_OWN      /* our own does */
} rsm__bpf_fault;

#ifdef RSM_TEST_HOOKS
extern rsm__bpf_fault rsm__bpf_fault_wanted;
extern bool rsm__bpf_by_two; /* by two threads, however few files are open */
#else
enum { rsm__bpf_fault_wanted = RSM__BPF_NO_FAULT, rsm__bpf_by_two = 0 };
#endif

#endif
