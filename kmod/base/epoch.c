// SPDX-License-Identifier: GPL-2.0
/* When cached checks of the data path have to be made again. */

#include "base/epoch.h"

atomic_t cni_epoch_bumps;
