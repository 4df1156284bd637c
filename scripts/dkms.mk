# SPDX-License-Identifier: GPL-2.0
# DKMS's build: it strips and signs the module itself, after this.
all:
	+$(MAKE) -C $(KDIR) M=$(CURDIR) modules
	scripts/btf $(KDIR) cnilink.ko
