/* Claims that the kernel decides: the file is made, or was there, in one system call. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "protocol.h"

int main(void) {
    while (next_claim()) {
        int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
        if (file >= 0) {
            int kept = write(file, value, strlen(value)) >= 0;
            close(file);
            kept ? answer("true") : refuse("the value was not written");
        } else {
            errno == EEXIST ? answer("false") : refuse("the file cannot be made");
        }
    }
    return 0;
}
