# Makes the folder $1 the root of a machine on which nothing was done yet, in namespaces that belong to a user without rights, and
# runs $6… there. On a stick: $2, the releases; $3, dist/; $4, tests/browser/; $5, node. All that is not made here is read-only; there
# is no network but loopback.
root=$1 releases=$2 dist=$3 tests=$4 node=$5
shift 5
mount --bind "$root" "$root"
cd "$root"
mkdir -p usr etc dev proc tmp run/user/4711 home/ann srv var/tmp old stick/releases stick/dist stick/tests/browser
chmod 700 run/user/4711 home/ann

read_only() {
    mount --rbind "$1" "$2"
    mount -o remount,bind,ro "$2"
}
read_only /usr usr
read_only /etc etc
read_only "$releases" stick/releases
read_only "$dist" stick/dist
read_only "$tests" stick/tests/browser
touch stick/node
read_only "$node" stick/node
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done

mount -t tmpfs -o mode=755 none dev
for name in null zero full random urandom; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/shm
mount -t tmpfs none dev/shm
# What glibc asks for the user's name.
printf 'root:x:0:0::/root:/bin/sh\nann:x:4711:4711::/home/ann:/bin/sh\n' > dev/passwd
mount --bind dev/passwd etc/passwd
mount -t proc none proc
ip link set lo up

# Not chroot: browsers that make namespaces for their sandbox may not do so in one.
pivot_root . old
umount -l /old
rmdir /old
# The shell stays, as the process that takes up those whose parents have ended.
setpriv --bounding-set=-all --ambient-caps=-all --inh-caps=-all --no-new-privs \
    env -i PATH=/usr/bin:/bin HOME=/home/ann USER=ann LANG=C.UTF-8 XDG_RUNTIME_DIR=/run/user/4711 "$@"
