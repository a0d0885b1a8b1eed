# Facts of this host, for Quarterdeck. Reads only, and changes nothing.
#
#   #F /etc/os-release      a file follows, each line behind a bar
#   |ID=debian
#   #L /etc/localtime X     a link and where it leads
#   #C df                   what a command said follows
#
# No line of a file or a command can pass for a head. POSIX sh, and no program that busybox lacks.
LC_ALL=C PATH="$PATH:/usr/sbin:/sbin:/usr/bin:/bin"
export LC_ALL PATH
exec 2>/dev/null </dev/null

# Where the link to it is broken or was never made, awk has another name.
if ! command -v awk >/dev/null; then
    if command -v mawk >/dev/null; then awk() { mawk "$@"; }
    elif command -v gawk >/dev/null; then awk() { gawk "$@"; }
    elif command -v busybox >/dev/null; then awk() { busybox awk "$@"; }
    fi
fi
soon() { if command -v timeout >/dev/null; then timeout 10 "$@"; else "$@"; fi; }
file() { for path do if [ -f "$path" ] && [ -r "$path" ]; then echo "#F $path"; sed 's/^/|/' "$path"; echo; fi; done; }
said() { echo "#C $1"; sed 's/^/|/'; echo; }

file /etc/os-release /usr/lib/os-release /etc/machine-id /var/lib/dbus/machine-id /etc/timezone
file /proc/meminfo /proc/sys/kernel/random/boot_id /proc/sys/net/ipv4/ip_local_port_range /sys/hypervisor/type
file /proc/net/route /proc/net/ipv6_route /proc/mounts /run/systemd/container
for name in sys_vendor product_name product_version product_serial product_uuid chassis_serial chassis_asset_tag \
    board_vendor board_name bios_vendor bios_version bios_date; do file "/sys/class/dmi/id/$name"; done
for disk in /sys/block/*; do
    file "$disk/size" "$disk/queue/rotational" "$disk/device/model" "$disk/device/vendor" "$disk/device/serial" "$disk/serial"
done
for link in /sys/class/net/*; do
    file "$link/address" "$link/mtu" "$link/operstate" "$link/speed"
    [ -e "$link/device" ] && echo "#F $link/device"
done
[ -e /.dockerenv ] && echo "#F /.dockerenv"
[ -e /run/.containerenv ] && echo "#F /run/.containerenv"
[ -L /etc/localtime ] && echo "#L /etc/localtime $(readlink /etc/localtime)"
echo "#F /proc/1/environ"; tr '\0' '\n' </proc/1/environ | grep '^container=' | sed 's/^/|/'

# One processor's lines stand for all: a hundred of them are 200 KB.
echo "#F /proc/cpuinfo"
grep -E '^(model name|Model|Hardware|cpu model|uarch|flags|physical id|cpu cores)' /proc/cpuinfo | sort -u | sed 's/^/|/'
grep -c '^processor' /proc/cpuinfo | said processors
{ uname -n; uname -s; uname -r; uname -m; } | said uname
grep '^btime' /proc/stat | said btime
soon ip -o addr | said addresses
{ soon df -kPl || soon df -kP; } | said df
cut -d: -f1,3,6,7 /etc/passwd | said passwd
command -v systemctl >/dev/null && soon systemctl list-units --type=service --state=running --no-legend --plain --no-pager |
    said services
command -v docker >/dev/null &&
    soon docker info --format '{{.ServerVersion}},{{.Containers}},{{.Driver}}' | said docker

# Sockets that wait, and whose they are. Without root those of others have no name.
waiting() {
    for kind in tcp tcp6; do awk -v kind=$kind '$4 == "0A" {print kind, $2, $10}' /proc/net/$kind; done
    for kind in udp udp6; do awk -v kind=$kind '$4 == "07" && $3 ~ /:0000$/ {print kind, $2, $10}' /proc/net/$kind; done
}
waiting | said sockets
{ waiting | awk '{print "want", $3}'; ls -l /proc/[0-9]*/fd; } |
    awk '$1 == "want" {want[$2] = 1; next}
        /^\/proc\// {split($1, part, "/"); pid = part[3]; next}
        match($NF, /^socket:\[[0-9]+\]$/) {node = substr($NF, 9, length($NF) - 9); if (node in want) print node, pid}' |
    sort -u | head -n 2000 | while read -r node pid; do
        read -r name </proc/"$pid"/comm || continue
        case $name in
            python* | ruby* | perl* | php* | node* | java* | bash | sh) line=$(tr '\0' '\t' </proc/"$pid"/cmdline) ;;
            *) line= ;;
        esac
        printf '%s\t%s\t%s\n' "$node" "$name" "$line" | head -n 1
    done | said programs

if command -v dpkg-query >/dev/null; then
    soon dpkg-query -W -f '${db:Status-Abbrev}\t${binary:Package}\t${Version}\t${Architecture}\t${source:Package}\n' | said dpkg
fi
if command -v rpm >/dev/null; then
    soon rpm -qa --qf 'ii \t%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\n' | said rpm
fi
[ -r /lib/apk/db/installed ] && grep -E '^[PVAo]:' /lib/apk/db/installed | said apk
echo "#E"
