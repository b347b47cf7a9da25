# What processes say to each other.

## shared-memory
# canary: $A ipc-make
# escaped: $A shm-look leak
# unnamed: the key is none in the step's own namespace, as on a node without it
$A shm-write

## shared-memory-removed
# escaped: ! ipcs -m | grep -q 0x005ed7eb
# unnamed: the key is none in the step's own namespace
$A shm-remove

## semaphore
# escaped: $A sem-look 7
# unnamed: the key is none in the step's own namespace
$A sem-set

## message
# escaped: $A msg-look
# unnamed: the key is none in the step's own namespace
$A msg-send

## message-queue
# escaped: $A mq-look
# unnamed: the name is none in the step's own namespace
$A mq-send

## posix-shared-memory
# canary: echo canary >/dev/shm/redteam
# escaped: leaked /dev/shm/redteam
# unnamed: the /dev/shm of a step is its own
echo leak >/dev/shm/redteam

## fifo
# escaped: heard
# report: open
timeout 0.3 bash -c 'echo $ID >$R/fifo'

## fifo-of-run
# escaped: heard
# report: open
timeout 0.3 bash -c 'echo $ID >$P/fifo'

## fifo-of-init
# escaped: heard
# report: open
timeout 0.3 bash -c 'echo $ID >/run/initctl'

## stream-socket
# escaped: heard
# report: connect
$A unix /run/redteam/stream.sock

## stream-socket-outside-of-run
# escaped: heard
# report: connect
$A unix /srv/redteam/stream.sock

## stream-socket-in-tmp
# escaped: heard
# report: connect
$A unix /tmp/redteam.sock

## linked-socket
# escaped: heard
# report: connect change
ln /run/redteam/linked.sock /run/redteam/second.sock; $A unix /run/redteam/second.sock

## renamed-socket
# escaped: heard
# report: connect change
mv /run/redteam/stream.sock /run/redteam/moved.sock; ln -s moved.sock /run/redteam/sym.sock; $A unix /run/redteam/sym.sock

## abstract-socket
# escaped: heard
# report: connect
$A unix @redteam-stream

## abstract-datagram
# escaped: heard
# report: sendto connect
$A unix-datagram @redteam-datagram

## message-bus
# escaped: heard
# report: connect
$A unix /run/dbus/system_bus_socket

## service-manager
# escaped: heard
# report: connect
$A unix /run/systemd/private

## container-engine
# escaped: heard
# report: connect
$A unix /run/docker.sock

## journal
# escaped: heard
# report: connect sendto
$A unix-datagram /run/systemd/journal/socket

## notification
# escaped: heard
# report: connect sendto
$A unix-datagram /run/systemd/notify

## log
# escaped: heard
# report: connect sendto logger
logger --socket-errors=off $ID; $A unix-datagram /dev/log

## log-by-its-real-path
# escaped: heard
# report: connect sendto
logger --socket /run/systemd/journal/dev-log $ID; $A unix-datagram /run/systemd/journal/dev-log

## socket-by-another-root
# escaped: heard
# unnamed: the process is not there, so the path is not
$A unix /proc/$(cat $P/other-root)/root/run/docker.sock
