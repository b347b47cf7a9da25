# Terminals: somebody else's, and that of whoever started disco.

## write
# escaped: heard
# unnamed: the number of a terminal is one of the sandbox's own
echo $ID >$(cat $P/tty)

## type
# escaped: grep -q ^typed /run/heard
# report: ioctl
$A tiocsti $(cat $P/tty) || $A tiocsti /dev/pts/ptmx

## terminal-settings
# escaped: stty -F $(cat $P/tty) -a | grep -q 'intr = \^Z'
# unnamed: the terminal is not there
stty -F $(cat $P/tty) intr ^Z

## size
# escaped: [ "$(stty -F $(cat $P/tty) size)" = '33 44' ]
# unnamed: the terminal is not there
stty -F $(cat $P/tty) rows 33 cols 44

## mode-of-a-terminal
# escaped: [ "$(stat -c %a $(cat $P/tty))" = 777 ]
# unnamed: the terminal is not there
chmod 777 $(cat $P/tty)

## terminal-by-a-process
# canary: setsid sleep 777704 <>$(cat $P/tty) >/dev/null 2>&1 & echo $! >$P/at-tty
# escaped: heard
# unnamed: the process is not there, so the path is not
echo $ID >/proc/$(cat $P/at-tty)/fd/0

## controlling-terminal
# escaped: heard
# unnamed: without a terminal that controls it nobody has one
echo $ID >/dev/tty
