/* Looks and writes under a lock on one file: right, and a rival has to wait for whoever is inside.
 * It gives the lock back after it has answered. */
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "protocol.h"

int main(void) {
    char name[8192];
    while (next_claim()) {
        snprintf(name, sizeof name, "%s.lock", place("handle"));
        int lock = open(name, O_CREAT | O_RDWR, 0600);
        flock(lock, LOCK_EX);
        if (access(path, F_OK) == 0) {
            answer("false");
        } else {
            int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
            int kept = file >= 0 && write(file, value, strlen(value)) >= 0;
            close(file);
            kept ? answer("true") : refuse("the file cannot be written");
        }
        close(lock);
    }
    return 0;
}
