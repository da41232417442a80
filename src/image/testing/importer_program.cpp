// The program that tests give to the importer.
#include "image/importer.h"

int main(int argc, char** argv) { return sebring::image::importer_main(argc, argv); }
