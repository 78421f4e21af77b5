/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the blocks that were recorded to those that there are, where only a sample was recorded. */
#ifndef MT_COLLECT_SAMPLING_H
#define MT_COLLECT_SAMPLING_H

#include "snapshot/snapshot.h"

/*
 * Scales a trace whose blocks are all of `size` bytes, each recorded with the same probability (one
 * hit or more in a Poisson process of one hit in sample_bytes, see bpf/sampling.h). No estimate is
 * biased (Horvitz and Thompson, 1952: each block stands for 1 / probability).
 */
void sampling__scale(uint64_t sample_bytes, uint64_t size, struct trace *trace);

#endif
