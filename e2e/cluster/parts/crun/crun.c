/* Runs crun where cgroups are hybrid: it refuses to start when controllers are left to the unified
 * hierarchy. In a mount namespace of its own that hierarchy is away, and crun uses those of version 1.
 * Mounts are private here, so nobody else misses it. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int argc, char **argv) {
  (void)argc;
  if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
    perror("crun: no mount namespace");
    return 1;
  }
  /* On a machine with one hierarchy, of either version, there is nothing to take away. */
  if (umount2("/sys/fs/cgroup/unified", MNT_DETACH) && errno != EINVAL && errno != ENOENT) {
    perror("crun: /sys/fs/cgroup/unified");
    return 1;
  }
  execv("/usr/bin/crun", argv);
  perror("/usr/bin/crun");
  return 1;
}
