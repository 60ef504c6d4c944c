#!/bin/bash
# A systemd of its own, in namespaces of its own, that starts the unit $2 and nothing else. The unit's
# output goes to the file $1; units in the folder $3, if given, come before installed ones, and all in it is in
# /run/ptpproxy-tests: services have a /tmp and a /home of their own. Run it by `unshare --mount --pid --ipc --uts --cgroup --fork`.
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/systemd/system
mkdir -p "/run/systemd/system/$2.d"
if [ $# -gt 2 ]; then
    cp "$3"/*.service /run/systemd/system/
    mkdir /run/ptpproxy-tests
    mount --bind "$3" /run/ptpproxy-tests
fi
cat >"/run/systemd/system/$2.d/alone.conf" <<END
[Unit]
DefaultDependencies=no
[Service]
StandardOutput=append:$1
StandardError=append:$1
END
cat >/run/systemd/system/alone.target <<END
[Unit]
DefaultDependencies=no
Requires=$2
END
mount -t proc proc /proc
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
export container=test
exec /lib/systemd/systemd --system --unit=alone.target --log-target=null --show-status=false
