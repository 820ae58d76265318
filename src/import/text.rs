//! The documents of an adoption as a file that people go on writing.

use serde_json::Value;

use rgctl_blueprint::yaml;

const HEAD: &str = "\
# yaml-language-server: $schema=blueprint.schema.json
#
# Written by `rgctl import` from what was found. Sizes are as they are; demand and objectives are not known from the
# cloud, so that nothing is derived from them: state yours. What `adopt` lists keeps the names and attributes that it
# has; an entry can go once its object may be renamed or changed.
";

/// All documents, the blueprint first.
pub(super) fn file(blueprint: &Value, regions: &[Value]) -> String {
    let mut text = format!("{HEAD}{}", yaml::to_text(blueprint));
    for region in regions {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str("---\n");
        text.push_str(&yaml::to_text(region));
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
