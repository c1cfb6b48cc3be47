//! Gives the plugin's description its commit and date.

fn main() {
    gst_plugin_version_helper::info();
}
