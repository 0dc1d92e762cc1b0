#include "parley/cli/command_line.h"

#include <algorithm>
#include <sstream>

#include <CLI/CLI.hpp>

namespace parley::cli {

std::expected<CommandLine, NoCommand> parse_command_line(const std::vector<std::string>& arguments,
                                                         const std::filesystem::path& folder) {
  CommandLine line;
  std::string data = "parley_data";
  const auto absolute = [&](const std::filesystem::path& path) {
    return path.empty() || path.is_absolute() ? path : (folder / path).lexically_normal();
  };

  CLI::App app("Parley: answers from your documentation, with its sources", "parley");
  app.require_subcommand(1);
  app.fallthrough();  // --data and --json may stand behind the command, too
  app.set_version_flag("--version", PARLEY_VERSION);
  app.add_option("--data", data, "Data folder (default ./parley_data)");
  app.add_flag("--json", line.json, "Print the result as JSON");

  // Each subcommand fills its own struct; the last one parsed is the command.
  const auto bind = [&]<class C>(CLI::App* sub, std::shared_ptr<C> command) {
    sub->callback([&line, command] { line.command = *command; });
    return command;
  };
  const auto group = [&](const char* name, const char* what) {
    auto* sub = app.add_subcommand(name, what);
    sub->require_subcommand(1);
    return sub;
  };

  {
    auto* sub = app.add_subcommand("serve", "Answer over HTTP");
    auto c = bind(sub, std::make_shared<Serve>());
    sub->add_option("--listen", c->listen, "ADDRESS:PORT (default 127.0.0.1:8080)");
    sub->add_option("--tls-cert", c->tls_cert, "Certificate chain, PEM; read again when it changes");
    sub->add_option("--tls-key", c->tls_key, "Its private key, PEM");
    sub->add_flag("--demo", c->demo, "Make a project of Parley's own documentation");
  }
  {
    auto* tenant = group("tenant", "Tenants: who has projects and shares nothing with others");
    auto* create = tenant->add_subcommand("create", "Make one");
    auto c = bind(create, std::make_shared<TenantCreate>());
    create->add_option("NAME", c->name)->required();
    bind(tenant->add_subcommand("list", "List them"), std::make_shared<TenantList>());
    auto* factor = tenant->add_subcommand("require-second-factor", "Whether its members must have a second factor");
    auto f = bind(factor, std::make_shared<TenantRequireSecondFactor>());
    factor->add_option("RULE", f->rule, "on or off")->required()->check(CLI::IsMember({"on", "off"}));
    factor->add_option("--tenant", f->tenant, "Name or id of the tenant")->required();
  }
  {
    auto* project = group("project", "Projects of a tenant");
    auto* create = project->add_subcommand("create", "Make one");
    auto c = bind(create, std::make_shared<ProjectCreate>());
    create->add_option("--tenant", c->tenant, "Name or id of the tenant")->required();
    create->add_option("--name", c->name, "What people call it")->required();
    create->add_option("--slug", c->slug, "Its name in addresses (default: ten random characters)");
    create->add_flag("--private", c->is_private, "Everything needs a credential");
    create->add_option("--origin", c->origins, "Site whose pages may use it; may be repeated");
    auto* set = project->add_subcommand("set", "Change from where one may be reached");
    auto s = bind(set, std::make_shared<ProjectSet>());
    set->add_option("--project", s->project, "Slug")->required();
    // By a function, which is called for a flag that was typed and for no other: bound to a variable, one that was left
    // out would be "off", and whoever lists a site would open a private project to everybody.
    const auto either = [&](const char* names, std::optional<bool> ProjectSet::* to, const char* what) {
      set->add_flag_function(names, [s, to](std::int64_t count) { (*s).*to = count > 0; }, what);
    };
    either("--private,!--public", &ProjectSet::is_private, "Whether everything needs a credential");
    either("--server-reads,!--no-server-reads", &ProjectSet::server_reads,
           "Whether programs may read a public project without a credential");
    either("--biel-compat,!--no-biel-compat", &ProjectSet::biel_compat,
           "Whether widgets without visitor tokens may chat: a chat's id is then all that guards it");
    set->add_option("--visitors", s->visitors, "verified: only those whom an identity issuer vouches for; or any")
        ->check(CLI::IsMember({"verified", "any"}));
    set->add_option("--origin", s->origins, "Site whose pages may use it, e.g. https://*.example.org; may be repeated");
    set->add_option("--remove-origin", s->origins_removed, "Site to take from the list; may be repeated");
    auto* list = project->add_subcommand("list", "List them");
    auto l = bind(list, std::make_shared<ProjectList>());
    list->add_option("--tenant", l->tenant, "Name or id of the tenant")->required();
  }
  {
    auto* sub = app.add_subcommand("ingest", "Read documents into a project");
    auto c = bind(sub, std::make_shared<Ingest>());
    sub->add_option("--project", c->project, "Slug")->required();
    sub->add_option("--base-url", c->base_url, "Where the documents are published, for links in citations");
    sub->add_option("--groups", c->groups, "Who may read them, e.g. staff,partners; empty: everybody");
    sub->add_option("PATH", c->paths, "Files and folders")->required();
  }
  {
    auto* source = group("source", "What a project's documents came from");
    auto* list = source->add_subcommand("list", "List them");
    auto l = bind(list, std::make_shared<SourceList>());
    list->add_option("--project", l->project, "Slug")->required();
    auto* groups = source->add_subcommand("groups", "Change who may read one's documents; holds when it is done");
    auto g = bind(groups, std::make_shared<SourceGroups>());
    groups->add_option("--project", g->project, "Slug")->required();
    groups->add_option("NAME", g->name, "As `source list` prints it")->required();
    auto* names = groups->add_option("--groups", g->groups, "e.g. staff,partners");
    auto* everybody = groups->add_flag("--everybody", g->everybody, "Whoever may search the project");
    names->excludes(everybody);
    auto* remove = source->add_subcommand("remove", "Remove one with its documents");
    auto r = bind(remove, std::make_shared<SourceRemove>());
    remove->add_option("--project", r->project, "Slug")->required();
    remove->add_option("NAME", r->name, "As `source list` prints it")->required();
  }
  {
    auto* sub = app.add_subcommand("search", "Search a project");
    auto c = bind(sub, std::make_shared<Search>());
    sub->add_option("--project", c->project, "Slug")->required();
    sub->add_option("WORDS", c->words)->required();
  }
  {
    auto* sub = app.add_subcommand("ask", "Ask a project a question");
    auto c = bind(sub, std::make_shared<Ask>());
    sub->add_option("--project", c->project, "Slug")->required();
    sub->add_option("QUESTION", c->question)->required();
  }
  {
    auto* sub = app.add_subcommand("eval", "Measure answers against a file of questions");
    auto c = bind(sub, std::make_shared<Eval>());
    sub->add_option("--project", c->project, "Slug")->required();
    sub->add_option("FILE", c->file, "Lines of JSON: id, question, relevant, answers")->required();
  }
  {
    auto* key = group("key", "API keys");
    auto* create = key->add_subcommand("create", "Make one; it is shown once");
    auto c = bind(create, std::make_shared<KeyCreate>());
    const auto one_of = [](CLI::App* sub, std::string& project, std::string& tenant) {
      auto* whose = sub->add_option_group("whose");
      whose->add_option("--project", project, "Slug");
      whose->add_option("--tenant", tenant, "Name or id: for all its projects");
      whose->require_option(1);
    };
    one_of(create, c->project, c->tenant);
    create->add_option("--scopes", c->scopes, "Comma-separated, e.g. project_read,chat_create")->required();
    create->add_option("--kind", c->kind, "secret or public")->check(CLI::IsMember({"secret", "public"}));
    create->add_option("--name", c->name, "To tell it from others");
    create->add_option("--origin", c->origins, "Site a public key may be used on; may be repeated");
    create->add_option("--address", c->addresses, "Range it may be used from, e.g. 10.0.0.0/8; may be repeated");
    create->add_option("--group", c->groups, "Group whose documents it reads; may be repeated");
    create->add_flag("--all-groups", c->all_groups, "It reads every document");
    create->add_option("--expires", c->expires, "90d, 12h, 30s (default 90d)");
    create->add_option("--exception", c->exception, "Why it must live for over 90 days, at most 365d");
    auto* list = key->add_subcommand("list", "List the keys of a project or a tenant");
    auto l = bind(list, std::make_shared<KeyList>());
    one_of(list, l->project, l->tenant);
    auto* revoke = key->add_subcommand("revoke", "End one at once");
    auto r = bind(revoke, std::make_shared<KeyRevoke>());
    revoke->add_option("ID", r->id)->required();
    auto* enable = key->add_subcommand("enable", "Switch one on again that was not used for 30 days");
    auto e = bind(enable, std::make_shared<KeyEnable>());
    enable->add_option("ID", e->id)->required();
    auto* rotate = key->add_subcommand("rotate", "Make its successor");
    auto o = bind(rotate, std::make_shared<KeyRotate>());
    rotate->add_option("ID", o->id)->required();
    rotate->add_option("--overlap", o->overlap, "How long the old one goes on working (default 24h)");
    rotate->add_option("--exception", o->exception, "Why the successor must live for over 90 days, too");
  }
  {
    auto* issuer = group("issuer", "Who says who a project's visitors are");
    auto* add = issuer->add_subcommand("add", "Believe one; a shared secret is made and shown once");
    auto c = bind(add, std::make_shared<IssuerAdd>());
    add->add_option("--project", c->project, "Slug")->required();
    add->add_option("--name", c->name, "To tell it from others")->required();
    add->add_option("--issuer", c->issuer, "What its tokens say in iss")->required();
    add->add_option("--audience", c->audience, "What they say in aud (default: the project's id)");
    auto* keys = add->add_option_group("keys");
    keys->add_flag("--shared-secret", c->shared_secret, "Tokens are signed with HS256");
    keys->add_option("--jwks", c->jwks, "Its public keys: a file with a JWK set (RS256, ES256)");
    keys->add_option("--jwks-url", c->jwks_url, "Where its public keys are");
    keys->require_option(1);
    auto* groups =
        add->add_option("--group", c->groups, "Group it may put visitors in; may be repeated (default: any)");
    add->add_flag("--no-groups", c->no_groups, "It puts visitors in no group")->excludes(groups);
    auto* list = issuer->add_subcommand("list", "List a project's");
    auto l = bind(list, std::make_shared<IssuerList>());
    list->add_option("--project", l->project, "Slug")->required();
    auto* remove = issuer->add_subcommand("remove", "Believe one no longer, nor the visitors it has vouched for");
    auto r = bind(remove, std::make_shared<IssuerRemove>());
    remove->add_option("--project", r->project, "Slug")->required();
    remove->add_option("--name", r->name, "As `issuer list` prints it")->required();
  }
  {
    const CLI::IsMember roles({"viewer", "editor", "maintainer", "administrator"});
    auto* user = group("user", "People who sign in");
    auto* create = user->add_subcommand("create", "Make an account, or let one into a tenant");
    auto c = bind(create, std::make_shared<UserCreate>());
    create->add_option("EMAIL", c->email)->required();
    create->add_option("--tenant", c->tenant, "Name or id of the tenant")->required();
    create->add_option("--role", c->role, "viewer (default), editor, maintainer or administrator")->check(roles);
    auto* list = user->add_subcommand("list", "List all accounts, or a tenant's members");
    auto l = bind(list, std::make_shared<UserList>());
    list->add_option("--tenant", l->tenant, "Name or id of the tenant");
    const auto of_one = [&]<class C>(const char* name, const char* what, std::shared_ptr<C> command) {
      auto* sub = user->add_subcommand(name, what);
      sub->add_option("EMAIL", bind(sub, command)->email, "The address, or the id of the account")->required();
      return sub;
    };
    of_one("disable", "Sign somebody out everywhere and let them in no more", std::make_shared<UserDisable>());
    of_one("enable", "Let them in again", std::make_shared<UserEnable>());
    of_one("reset-password", "Make a link to choose a new one", std::make_shared<UserResetPassword>());
    of_one("reset-second-factor", "Remove what they lost", std::make_shared<UserResetSecondFactor>());
    auto r = std::make_shared<UserRole>();
    auto* role = of_one("role", "Change what somebody is in a tenant", r);
    role->add_option("--tenant", r->tenant, "Name or id of the tenant")->required();
    role->add_option("--role", r->role, "viewer, editor, maintainer or administrator")->required()->check(roles);
    auto g = std::make_shared<UserGroups>();
    auto* groups =
        of_one("groups", "Change whose documents somebody reads in a tenant, besides those without groups", g);
    groups->add_option("--tenant", g->tenant, "Name or id of the tenant")->required();
    auto* all_groups = groups->add_option_group("groups");
    all_groups->add_option("--group", g->groups, "Group they are in; may be repeated. In no other from now on");
    all_groups->add_flag("--none", g->none, "They are in no group");
    all_groups->require_option(1);
    auto m = std::make_shared<UserRemove>();
    auto* remove = of_one("remove", "Take somebody out of a tenant", m);
    remove->add_option("--tenant", m->tenant, "Name or id of the tenant")->required();
  }
  {
    auto* provider = group("provider", "Signing in at an organisation's own provider (OpenID Connect)");
    auto* add = provider->add_subcommand("add", "Let a tenant's people sign in there");
    auto c = bind(add, std::make_shared<ProviderAdd>());
    add->add_option("--tenant", c->tenant, "Name or id of the tenant")->required();
    add->add_option("--name", c->name, "What stands on the button")->required();
    add->add_option("--issuer", c->issuer, "Its address, as its own metadata spells it")->required();
    add->add_option("--client-id", c->client_id, "As what Parley is registered there")->required();
    add->add_option("--client-secret", c->secret,
                    "Where the secret is: env:NAME or file:NAME; none for a public client");
    add->add_option("--authentication", c->authentication, "client_secret_basic (default), client_secret_post or none")
        ->check(CLI::IsMember({"client_secret_basic", "client_secret_post", "none"}));
    add->add_option("--scope", c->scopes, "Asked for (default openid, email, profile); may be repeated");
    add->add_option("--group-claim", c->group_claim, "Where the provider says the groups (default groups)");
    add->add_option("--group", c->groups, "GROUP=ROLE: then groups decide roles; may be repeated");
    add->add_option("--email-domain", c->domains, "Only addresses of this domain; may be repeated");
    add->add_option("--default-role", c->default_role, "Of people whom no group gives one (default: not let in)")
        ->check(CLI::IsMember({"viewer", "editor", "maintainer", "administrator"}));
    add->add_flag("--create-accounts", c->creates_accounts, "Let in people who were not invited");
    auto* list = provider->add_subcommand("list", "List a tenant's providers");
    auto l = bind(list, std::make_shared<ProviderList>());
    list->add_option("--tenant", l->tenant, "Name or id of the tenant")->required();
    auto* remove = provider->add_subcommand("remove", "Let nobody in by it any more");
    auto r = bind(remove, std::make_shared<ProviderRemove>());
    remove->add_option("ID", r->id)->required();
    remove->add_option("--tenant", r->tenant, "Name or id of the tenant")->required();
  }
  bind(app.add_subcommand("routes", "Every address and who may use it"), std::make_shared<Routes>());
  {
    auto* trail = group("trail", "The record of who did what");
    auto* verify = trail->add_subcommand("verify", "Find any changed, removed or reordered record");
    auto c = bind(verify, std::make_shared<TrailVerify>());
    verify->add_option("--tenant", c->tenant, "Name or id of the tenant (default: all)");
    verify->add_option("--head", c->head, "A head noted earlier: finds a cut tail, too");
    verify->add_option("--seal", c->seals,
                       "A file of exported seals, kept elsewhere: finds what was written anew, too");
    auto* seal = trail->add_subcommand("seal", "Sign where every chain ends now; done daily by the server");
    auto e = bind(seal, std::make_shared<TrailSeal>());
    seal->add_option("--tenant", e->tenant, "Name or id of the tenant (default: all)");
    auto* export_ = trail->add_subcommand("export", "Seals and public key as JSON, to be kept elsewhere");
    auto x = bind(export_, std::make_shared<TrailExport>());
    export_->add_option("--tenant", x->tenant, "Name or id of the tenant")->required();
    auto* show = trail->add_subcommand("show", "The latest records");
    auto s = bind(show, std::make_shared<TrailShow>());
    show->add_option("--tenant", s->tenant, "Name or id of the tenant")->required();
    show->add_option("--count", s->count, "How many (default 50)")->check(CLI::Range(1, 10'000));
  }
  bind(group("access", "Who can do what")->add_subcommand("report", "For looking through and approving"),
       std::make_shared<AccessReportMake>());
  {
    auto* migrate = group("migrate", "The shape of the store");
    bind(migrate->add_subcommand("status", "Which migrations are applied"), std::make_shared<MigrateStatus>());
    bind(migrate->add_subcommand("up", "Apply them to every tenant; takes a backup first"),
         std::make_shared<MigrateUp>());
  }
  {
    auto* sub = app.add_subcommand("backup", "Copy everything, while serving");
    auto c = bind(sub, std::make_shared<Backup>());
    sub->add_option("FOLDER", c->to, "Made if it is not there; must be empty")->required();
  }
  {
    auto* sub = app.add_subcommand("restore", "Make the data folder from a backup");
    auto c = bind(sub, std::make_shared<Restore>());
    sub->add_option("FOLDER", c->from)->required();
    sub->add_flag("--verify", c->verify, "Only check that the backup is whole");
  }
  bind(app.add_subcommand("doctor", "Look for what is wrong with this installation"), std::make_shared<Doctor>());
  bind(group("selftest", "Prove promises on this installation")
           ->add_subcommand("tenancy", "That a query cannot reach another tenant"),
       std::make_shared<SelftestTenancy>());

  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    const int status = app.exit(error, out, err);
    return std::unexpected(NoCommand{out.str() + err.str(), status == 0 ? 0 : 2});
  }

  line.data = absolute(data);
  std::visit(
      [&]<class C>(C& command) {
        if constexpr (std::is_same_v<C, Serve>) {
          command.tls_cert = absolute(command.tls_cert);
          command.tls_key = absolute(command.tls_key);
        } else if constexpr (std::is_same_v<C, Ingest>) {
          for (auto& path : command.paths) path = absolute(path);
        } else if constexpr (std::is_same_v<C, Eval>) {
          command.file = absolute(command.file);
        } else if constexpr (std::is_same_v<C, IssuerAdd>) {
          command.jwks = absolute(command.jwks);
        } else if constexpr (std::is_same_v<C, TrailVerify>) {
          command.seals = absolute(command.seals);
        } else if constexpr (std::is_same_v<C, Backup>) {
          command.to = absolute(command.to);
        } else if constexpr (std::is_same_v<C, Restore>) {
          command.from = absolute(command.from);
        }
      },
      line.command);
  return line;
}

}  // namespace parley::cli
