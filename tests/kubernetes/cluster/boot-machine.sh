#!/bin/sh
# The first process of a machine, in fresh mount, process, network, host-name and cgroup namespaces: puts the machine's file system
# together and becomes its init. Arguments: the machine's name, its folder, the folder of unpacked packages, the folder of programs.
set -eu
name=$1 disk=$2 packages=$3 programs=$4
hostname "$name"
mount --make-rprivate /
root=$disk/root
mkdir -p "$root"
mount -t tmpfs -o mode=755 root "$root"
cd "$root"
mkdir usr etc var opt run tmp dev proc sys mnt root home srv
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$folder"; done
# The host's programs, and before them those of the packages.
mount -t overlay -o "ro,lowerdir=$packages/usr:/usr" programs usr
mount --bind "$programs" usr/local/bin
mount -o remount,bind,ro usr/local/bin
# What a reboot keeps.
for folder in etc var opt; do mount --bind "$disk/disk/$folder" "$folder"; done
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
mkdir run/netns run/lock
mount -t proc proc proc
mount -t sysfs sys sys
mount --rbind /dev dev
mount --make-rslave dev
mount -t bpf -o mode=700 bpf sys/fs/bpf
# Each hierarchy shows the machine's own control group as its root.
cgroups=sys/fs/cgroup
if [ "$(cat /proc/self/cgroup)" = "0::/" ]; then
  mount -t cgroup2 cgroup "$cgroups"
  # Only groups without processes give controllers to those below.
  mkdir -p "$cgroups/init.scope"
  echo 1 >"$cgroups/init.scope/cgroup.procs"
  for controller in $(cat "$cgroups/cgroup.controllers"); do
    echo "+$controller" >"$cgroups/cgroup.subtree_control"
  done
else
  mount -t tmpfs -o mode=755 cgroup "$cgroups"
  while IFS=: read -r _ controllers _; do
    case $controllers in
    "") folder=unified type=cgroup2 options=rw ;;
    name=*) folder=${controllers#name=} type=cgroup options=none,$controllers ;;
    *) folder=$controllers type=cgroup options=$controllers ;;
    esac
    mkdir "$cgroups/$folder"
    mount -t "$type" -o "$options" cgroup "$cgroups/$folder"
    # Hierarchies of several controllers are also known by each.
    case $folder in *,*) for one in $(echo "$folder" | tr , ' '); do ln -s "$folder" "$cgroups/$one"; done ;; esac
  done </proc/self/cgroup
fi
pivot_root . mnt
exec chroot . /bin/sh -c 'umount -l /mnt && mount --make-rshared / && exec /usr/bin/busybox init' <dev/null
