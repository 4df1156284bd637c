# SPDX-License-Identifier: GPL-2.0
SHELL := /bin/bash
.SHELLFLAGS := -e -o pipefail -c
top := $(CURDIR)

# Which kernel to build for: KDIR=, else KERNEL= (a release that scripts/deps unpacked), else the running one, else the
# one the VM runs.
ifdef KERNEL
export CNI_KERNEL := $(KERNEL)
vmrel := $(shell scripts/deps cached-kernel "$(KERNEL)")
KDIR ?= $(if $(vmrel),$(or $(CNI_KERNELS),$(top)/build/kernels)/$(vmrel)/build)
else
vmrel := $(shell scripts/deps cached-kernel)
KDIR ?= $(or $(patsubst %/Makefile,%,$(wildcard /lib/modules/$(shell uname -r)/build/Makefile)),$\
	$(if $(vmrel),$(or $(CNI_KERNELS),$(top)/build/kernels)/$(vmrel)/build))
endif
vmkdir := $(if $(vmrel),$(or $(CNI_KERNELS),$(top)/build/kernels)/$(vmrel)/build)
krel = $(or $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$(KDIR)/include/generated/utsrelease.h" 2>/dev/null),$(error no kernel headers in \
	KDIR="$(KDIR)"; run: scripts/deps build))
out = $(top)/build/$(krel)

export DESTDIR PREFIX
INSTALL_MOD_PATH ?= $(DESTDIR)
export INSTALL_MOD_PATH

all: modules cnictl

# Objects land beside the sources they are built from, so the build sees the sources through links: the tree stays
# clean and several kernels' builds stand side by side. The lock is for two builds started at once.
farm = mkdir -p $(out)/kmod && ln -sf $(top)/Kbuild $(top)/VERSION $(out)/ && cp -rsf $(top)/kmod $(out)/ && \
	find $(out) -xtype l -delete
jobs = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
# Without the kernel's own type information kbuild can't make the module's; scripts/btf may find it elsewhere.
kbuild = flock $(out)/.lock $(MAKE) --no-print-directory $(jobs) -C $(KDIR) \
	$(if $(wildcard $(KDIR)/vmlinux),,CONFIG_DEBUG_INFO_BTF_MODULES=) M=$(out)

modules:
	@$(farm)
	+@$(kbuild) modules
	@flock $(out)/.lock scripts/btf $(KDIR) $(out)/cnilink.ko
	@echo "built for $(krel): build/$(krel)/cnilink.ko"

# The prefix table's test that runs in the kernel: another module, of the same links.
test-modules: modules
	@mkdir -p $(out)/selftests/lpm && cp -rsf $(top)/selftests/lpm/{kmod,lpm-sources.h} $(out)/selftests/lpm/
	+@$(kbuild)/selftests/lpm/kmod modules

cnictl:
	+@if [ -e user/Makefile ]; then $(MAKE) -C user; else echo "user/: nothing to build yet"; fi

modules_install: modules
	+@$(kbuild) modules_install $(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=)
	@$(if $(INSTALL_MOD_PATH),,/sbin/depmod -a $(krel))

install: modules_install
	+@$(MAKE) -C user install

# Of all kernels, whoever put it there: kbuild into extra or updates, or DKMS.
uninstall:
	+@$(MAKE) -C user uninstall
	@INSTALL_MOD_PATH=$(INSTALL_MOD_PATH) scripts/uninstall

# The VM's kernel may be another than this machine's.
vm-%:
	+@$(MAKE) --no-print-directory $* KDIR="$(vmkdir)"

deps-%:
	@scripts/deps $* $(if $(KERNEL),&& scripts/deps kernel "$(KERNEL)")

# What was just installed has to be looked for by a make of its own.
check: deps-check
	+@$(MAKE) --no-print-directory vm-modules cnictl
	@selftests/run.sh $(TESTS)

check-deep: deps-check-deep
	+@$(MAKE) --no-print-directory vm-test-modules cnictl
	+@$(MAKE) --no-print-directory vm-test-modules KERNEL=debug
	@CNI_DEEP=1 selftests/run.sh $(TESTS)

bench: deps-bench
	+@$(MAKE) --no-print-directory vm-modules cnictl
	@selftests/bench/run.sh $(BENCH)

# Its transcript is to be read: the build's own is only shown when it fails, or with V=1.
demo: deps-demo
	@mkdir -p build
	@echo 'Building the module and cnictl, then starting a VM.'
	+@$(MAKE) --no-print-directory vm-modules cnictl $(if $(filter 1,$(V)),,>build/demo.log 2>&1 || \
		{ cat build/demo.log; exit 1; })
	@scripts/demo

# Debian ships the style checker in the source package only.
checkpatch: build/tools/checkpatch.pl
	@cd build/tools && ./checkpatch.pl --no-tree --root=. --file --terse --show-types --strict --max-line-length=80 \
		--ignore SPDX_LICENSE_TAG,FILE_PATH_CHANGES,LINUX_VERSION_CODE,CONSTANT_COMPARISON,CAMELCASE $(CHECKPATCH) $(addprefix ../../,\
		$(filter-out %-gen.c %-gen.h,$(wildcard kmod/*.[ch] kmod/*/*.[ch] selftests/lpm/kmod/*.c))) | sed 's|^\.\./\.\./||'

build/tools/checkpatch.pl:
	@scripts/deps lint
	@mkdir -p build/tools/include
	tar -xf $(lastword $(sort $(wildcard /usr/src/linux-source-*.tar.xz)) /usr/src/linux-source-6.12.tar.xz) \
		-C build/tools --strip-components=2 --wildcards \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' '*/scripts/const_structs.checkpatch'
	@touch $@

dkms-install:
	@scripts/dkms-install
	+@$(MAKE) -C user install

clean:
	+@if [ -e user/Makefile ]; then $(MAKE) -C user clean; fi
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name kernels ! -name tools -exec rm -rf {} +; fi

distclean: clean
	rm -rf build

help:
	@echo 'make                  module and cnictl; W=1 more warnings, C=2 sparse, V=1 commands'
	@echo '     KDIR=DIR         build against these kernel headers'
	@echo '     KERNEL=REL       build for (and test on) a kernel that scripts/deps kernel REL unpacked;'
	@echo '                      KERNEL=debug: with KASAN, lockdep and more'
	@echo 'make modules          the module: build/RELEASE/cnilink.ko'
	@echo 'make cnictl           the helper program'
	@echo 'make install          install both (DESTDIR=, PREFIX=)'
	@echo 'make uninstall        remove what was installed, for all kernels; the configuration stays'
	@echo 'make modules_install  install the module'
	@echo 'make dkms-install     install cnictl, and have DKMS build the module for every kernel of this machine'
	@echo 'make check            all tests, in VMs; TESTS="NAME..." only these (selftests/README.md)'
	@echo 'make check-deep       the long ones too'
	@echo 'make bench            all benchmarks; BENCH=NAME only one'
	@echo 'make demo             a link to Cloudflare and traffic over it, in a VM'
	@echo 'make checkpatch       kernel coding style'
	@echo 'make clean            remove what was built; distclean: unpacked kernels too'

.PHONY: all modules cnictl modules_install install uninstall test-modules check check-deep bench demo checkpatch dkms-install \
	clean distclean help
