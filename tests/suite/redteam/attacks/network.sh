# The network of the node: here its loopback, where services listen that need no password.

## tcp
# escaped: heard
# report: connect
echo $ID >/dev/tcp/127.0.0.1/7701

## tcp-6
# needs: (exec 3<>/dev/tcp/::1/7701)
# escaped: heard
# report: connect
echo $ID >/dev/tcp/::1/7701

## udp
# escaped: heard
# report: connect sendto
echo $ID >/dev/udp/127.0.0.1/7701

## message-with-address
# escaped: heard
# report: sendmsg
$A sendmsg

## messages-with-address
# escaped: heard
# report: sendmmsg
$A sendmsg many

## fast-open
# escaped: heard
# report: sendto connect
$A fastopen

## name
# escaped: grep -aq asked-for-this-name /run/heard
# report: connect sendto sendmmsg resolve
getent hosts asked-for-this-name.example

## mail
# escaped: heard
# report: connect
exec 3<>/dev/tcp/127.0.0.1/25; echo "MAIL FROM:<$ID>" >&3

## ping
# escaped: heard
# report: sendto
$A ping

## wire
# escaped: heard
# report: socket sendto
$A wire

## listen
# escaped: (exec 3<>/dev/tcp/127.0.0.1/7790)
# unnamed: a port of its own network is one that a step may have
$A listen 7790

## address
# escaped: ip address show dev lo | grep -q 192.0.2.77
# report: ip sendmsg sendto
ip address add 192.0.2.77/32 dev lo

## address-by-hand
# escaped: ip address show dev lo | grep -q 192.0.2.78
# report: sendto netlink
$A address 192.0.2.78

## size-of-packets
# escaped: ip link show dev lo | grep -q 'mtu 60000'
# report: ip sendmsg sendto network
ip link set dev lo mtu 60000; $A mtu 60000

## route
# escaped: ip route show | grep -q 198.51.100
# report: ip sendmsg sendto
ip route add 198.51.100.0/24 dev lo; $A route 198.51.100.0

## ring-connect
# needs: $A ring | grep -q ok
# escaped: heard
# report: io_uring_setup connect
$A ring-connect

## ring-open
# needs: $A ring | grep -q ok
# escaped: [ -e $R/by-ring ]
# report: io_uring_setup change
$A ring-open $R/by-ring

## virtual-machines
# needs: $A vsock | grep -q ok
# says: ok
# filter: sockets between virtual machines are of no namespace
# report: socket
$A vsock

## crypto
# needs: $A af-alg | grep -q ok
# says: ok
# filter: the family loads modules, and is of no namespace
# report: socket
$A af-alg

## audit
# needs: $A audit | grep -q ok
# says: ok
# filter: the audit log is of no namespace, and accounts are changed by programs that write to it
# unnamed: every log-in and every change of an account asks, and programs live with the answer
$A audit
