# What OpenWrt's package.mk does with a package, as far as its own definitions go: prepares and installs it.
INSTALL_DIR:=install -d -m 0755
INSTALL_BIN:=install -m 0755
INSTALL_CONF:=install -m 0600

define BuildPackage
install:
	$(call Build/Prepare)
	$(call Package/$(1)/install,$(DESTDIR))
conffiles:
	@echo $(Package/$(1)/conffiles)
endef
