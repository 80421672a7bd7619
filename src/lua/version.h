#ifndef CK_VERSION
#define CK_VERSION "0.1.0"
#endif
