/* Does what its key says, in the middle of a call: the ways in which a command can go wrong.
 * Any other key is claimed without a look at anything. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol.h"

static void hear(int number) { (void)number; }

static void *begin_anew(void *program) {
    execl(program, program, line, (char *)0);
    return 0;
}

int main(int argc, char **argv) {
    signal(SIGUSR1, hear);
    if (argc == 2) { /* it was begun anew, inside this claim */
        snprintf(line, sizeof line, "%s", argv[1]);
        answer("true");
    }
    while (next_claim()) {
        fprintf(stderr, "asked for %s\n", key);
        if (!strcmp(key, "spin")) for (;;) {}
        if (!strcmp(key, "sleep")) for (;;) pause();
        if (!strcmp(key, "exit")) exit(7);
        if (!strcmp(key, "abort")) abort();
        if (!strcmp(key, "signal")) answer(kill(getpid(), SIGUSR1) ? "false" : "true");
        else if (!strcmp(key, "stop")) answer(raise(SIGSTOP) ? "false" : "true");
        else if (!strcmp(key, "shell")) answer(system("test -d /") ? "false" : "true");
        else if (!strcmp(key, "exec")) {
            pthread_t thread;
            pthread_create(&thread, 0, begin_anew, argv[0]);
            for (;;) {}
        }
        else if (!strcmp(key, "daemon")) {
            pid_t child = fork();
            if (!child) { setsid(); for (;;) pause(); }
            answer(child > 0 ? "true" : "false");
        } else answer("true");
    }
    return 0;
}
