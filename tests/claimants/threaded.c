/* Right, and never at rest: one thread counts in memory that it shares with "counter" in the
 * directory argv[1], one sleeps and counts, one makes system calls. Held, none of them counts. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "protocol.h"

static volatile long *counts;
static char *directory;

static void *spin(void *unused) {
    for (;;) counts[0]++;
    return unused;
}

static void *doze(void *unused) {
    for (;;) {
        usleep(100);
        counts[1]++;
    }
    return unused;
}

static void *call(void *unused) {
    for (;;) {
        access(directory, F_OK);
        counts[2]++;
    }
    return unused;
}

int main(int argc, char **argv) {
    pthread_t thread;
    if (argc != 2) return 2;
    directory = argv[1];
    snprintf(path, sizeof path, "%s/counter", directory);
    int file = open(path, O_CREAT | O_RDWR, 0600);
    if (ftruncate(file, 4096)) return 2;
    counts = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    pthread_create(&thread, 0, spin, 0);
    pthread_create(&thread, 0, doze, 0);
    pthread_create(&thread, 0, call, 0);
    while (next_claim()) {
        int made = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
        if (made >= 0) close(made);
        answer(made >= 0 ? "true" : "false");
    }
    return 0;
}
