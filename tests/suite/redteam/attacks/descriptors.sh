# Descriptors that whoever started disco had open, that disco has open itself, or that somebody hands over. All of them:
# 4 is a connection, 5 a folder, 6 a file open for reading, 7 a deleted file, 8 a file open for writing.

## inherited-folder
# escaped: [ -e $R/inherited/leak ]
# unnamed: the descriptor is not there, and a number that is none is asked for by every shell
cd /proc/self/fd/5 && touch leak

## inherited-folder-up
# escaped: [ -e $R/inherited/up ] || [ -e /srv/up ]
# unnamed: the descriptor is not there
$A fchdir 5 up 0; $A fchdir 5 srv/up 8

## inherited-file
# escaped: leaked $R/inherited-file
# unnamed: the descriptor is not there
echo leak >&8

## inherited-reader-reopened
# escaped: leaked $R/inherited-reader
# unnamed: the descriptor is not there
echo leak >/proc/self/fd/6; echo leak >/dev/fd/6

## inherited-deleted-file
# escaped: leaked /proc/$(cat $P/holds-deleted)/fd/7
# unnamed: the descriptor is not there
echo leak >/proc/self/fd/7

## inherited-connection
# escaped: heard
# unnamed: the descriptor is not there
echo $ID >&4

## standard-input-reopened
# escaped: leaked $R/standard-input
# unnamed: a file that is opened again by its descriptor is opened as any file
echo leak >/proc/self/fd/0

## descriptors-of-first-process
# canary: mkdir -p $R/first; true
# escaped: [ -e $R/first/by-fd ] || grep -q by-fd $R/inherited-file
# unnamed: the first process shows none
$A descriptors 1 by-fd; cat $P/holder; $A descriptors $(cut -d ' ' -f 1 $P/with-folder) by-fd

## descriptors-of-everybody
# escaped: [ -e $R/inherited/everybody ] || grep -q everybody $R/inherited-file
# unnamed: there is nobody but the step's own processes
for p in /proc/[0-9]*; do $A descriptors ${p#/proc/} everybody; done

## descriptor-of-a-process
# canary: $A hold $P/getfd & sleep 0.1
# escaped: leaked $R/held
# report: pidfd_open pidfd_getfd
$A getfd $(cut -d ' ' -f 1 $P/getfd)

## descriptor-of-a-service
# canary: mkdir -p $R/given
# escaped: [ -e $R/given/leak ]
# report: connect
$A take $P/giver.sock

## file-lock
# canary: touch $R/lock
# escaped: ! flock -n $R/lock true
# unnamed: a lock of a file changes no file
$A lock $R/lock
