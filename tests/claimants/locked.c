/* Looks and writes under a lock on one file: right, and a rival has to wait for whoever is inside.
 * It gives the lock back after it has answered.
 * Serves "claim KEY VALUE" with "true", "false" or "error TEXT", on files in the directory argv[1]. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char line[4096], path[8192];
    while (argc == 2 && fgets(line, sizeof line, stdin)) {
        char *key = line + strlen("claim "), *value = strchr(key, ' ');
        *value++ = 0;
        snprintf(path, sizeof path, "%s/lock", argv[1]);
        int lock = open(path, O_CREAT | O_RDWR, 0600);
        flock(lock, LOCK_EX);
        snprintf(path, sizeof path, "%s/%s", argv[1], key);
        if (access(path, F_OK) == 0) {
            puts("false");
        } else {
            int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
            int kept = file >= 0 && write(file, value, strlen(value)) >= 0;
            close(file);
            puts(kept ? "true" : "error the file cannot be written");
        }
        fflush(stdout);
        close(lock);
    }
    return 0;
}
