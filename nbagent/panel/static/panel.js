var Fe=globalThis,ot=e=>e,ge=Fe.trustedTypes,st=ge?ge.createPolicy("lit-html",{createHTML:e=>e}):void 0,We="$lit$",O=`lit$${Math.random().toFixed(9).slice(2)}$`,Ve="?"+O,An=`<${Ve}>`,F=document,se=()=>F.createComment(""),re=e=>e===null||typeof e!="object"&&typeof e!="function",je=Array.isArray,dt=e=>je(e)||typeof e?.[Symbol.iterator]=="function",Be=`[ 	
\f\r]`,oe=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,rt=/-->/g,at=/>/g,P=RegExp(`>|${Be}(?:([^\\s"'>=/]+)(${Be}*=${Be}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),it=/'/g,lt=/"/g,ut=/^(?:script|style|textarea|title)$/i,Ue=e=>(t,...n)=>({_$litType$:e,strings:t,values:n}),p=Ue(1),ts=Ue(2),ns=Ue(3),W=Symbol.for("lit-noChange"),f=Symbol.for("lit-nothing"),ct=new WeakMap,B=F.createTreeWalker(F,129);function pt(e,t){if(!je(e)||!e.hasOwnProperty("raw"))throw Error("invalid template strings array");return st!==void 0?st.createHTML(t):t}var mt=(e,t)=>{let n=e.length-1,o=[],s,r=t===2?"<svg>":t===3?"<math>":"",a=oe;for(let l=0;l<n;l++){let i=e[l],u,c,d=-1,m=0;for(;m<i.length&&(a.lastIndex=m,c=a.exec(i),c!==null);)m=a.lastIndex,a===oe?c[1]==="!--"?a=rt:c[1]!==void 0?a=at:c[2]!==void 0?(ut.test(c[2])&&(s=RegExp("</"+c[2],"g")),a=P):c[3]!==void 0&&(a=P):a===P?c[0]===">"?(a=s??oe,d=-1):c[1]===void 0?d=-2:(d=a.lastIndex-c[2].length,u=c[1],a=c[3]===void 0?P:c[3]==='"'?lt:it):a===lt||a===it?a=P:a===rt||a===at?a=oe:(a=P,s=void 0);let g=a===P&&e[l+1].startsWith("/>")?" ":"";r+=a===oe?i+An:d>=0?(o.push(u),i.slice(0,d)+We+i.slice(d)+O+g):i+O+(d===-2?l:g)}return[pt(e,r+(e[n]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),o]},ae=class e{constructor({strings:t,_$litType$:n},o){let s;this.parts=[];let r=0,a=0,l=t.length-1,i=this.parts,[u,c]=mt(t,n);if(this.el=e.createElement(u,o),B.currentNode=this.el.content,n===2||n===3){let d=this.el.content.firstChild;d.replaceWith(...d.childNodes)}for(;(s=B.nextNode())!==null&&i.length<l;){if(s.nodeType===1){if(s.hasAttributes())for(let d of s.getAttributeNames())if(d.endsWith(We)){let m=c[a++],g=s.getAttribute(d).split(O),$=/([.?@])?(.*)/.exec(m);i.push({type:1,index:r,name:$[2],strings:g,ctor:$[1]==="."?be:$[1]==="?"?he:$[1]==="@"?$e:j}),s.removeAttribute(d)}else d.startsWith(O)&&(i.push({type:6,index:r}),s.removeAttribute(d));if(ut.test(s.tagName)){let d=s.textContent.split(O),m=d.length-1;if(m>0){s.textContent=ge?ge.emptyScript:"";for(let g=0;g<m;g++)s.append(d[g],se()),B.nextNode(),i.push({type:2,index:++r});s.append(d[m],se())}}}else if(s.nodeType===8)if(s.data===Ve)i.push({type:2,index:r});else{let d=-1;for(;(d=s.data.indexOf(O,d+1))!==-1;)i.push({type:7,index:r}),d+=O.length-1}r++}}static createElement(t,n){let o=F.createElement("template");return o.innerHTML=t,o}};function V(e,t,n=e,o){if(t===W)return t;let s=o!==void 0?n._$Co?.[o]:n._$Cl,r=re(t)?void 0:t._$litDirective$;return s?.constructor!==r&&(s?._$AO?.(!1),r===void 0?s=void 0:(s=new r(e),s._$AT(e,n,o)),o!==void 0?(n._$Co??=[])[o]=s:n._$Cl=s),s!==void 0&&(t=V(e,s._$AS(e,t.values),s,o)),t}var fe=class{constructor(t,n){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=n}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){let{el:{content:n},parts:o}=this._$AD,s=(t?.creationScope??F).importNode(n,!0);B.currentNode=s;let r=B.nextNode(),a=0,l=0,i=o[0];for(;i!==void 0;){if(a===i.index){let u;i.type===2?u=new Y(r,r.nextSibling,this,t):i.type===1?u=new i.ctor(r,i.name,i.strings,this,t):i.type===6&&(u=new ve(r,this,t)),this._$AV.push(u),i=o[++l]}a!==i?.index&&(r=B.nextNode(),a++)}return B.currentNode=F,s}p(t){let n=0;for(let o of this._$AV)o!==void 0&&(o.strings!==void 0?(o._$AI(t,o,n),n+=o.strings.length-2):o._$AI(t[n])),n++}},Y=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,n,o,s){this.type=2,this._$AH=f,this._$AN=void 0,this._$AA=t,this._$AB=n,this._$AM=o,this.options=s,this._$Cv=s?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode,n=this._$AM;return n!==void 0&&t?.nodeType===11&&(t=n.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,n=this){t=V(this,t,n),re(t)?t===f||t==null||t===""?(this._$AH!==f&&this._$AR(),this._$AH=f):t!==this._$AH&&t!==W&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):dt(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==f&&re(this._$AH)?this._$AA.nextSibling.data=t:this.T(F.createTextNode(t)),this._$AH=t}$(t){let{values:n,_$litType$:o}=t,s=typeof o=="number"?this._$AC(t):(o.el===void 0&&(o.el=ae.createElement(pt(o.h,o.h[0]),this.options)),o);if(this._$AH?._$AD===s)this._$AH.p(n);else{let r=new fe(s,this),a=r.u(this.options);r.p(n),this.T(a),this._$AH=r}}_$AC(t){let n=ct.get(t.strings);return n===void 0&&ct.set(t.strings,n=new ae(t)),n}k(t){je(this._$AH)||(this._$AH=[],this._$AR());let n=this._$AH,o,s=0;for(let r of t)s===n.length?n.push(o=new e(this.O(se()),this.O(se()),this,this.options)):o=n[s],o._$AI(r),s++;s<n.length&&(this._$AR(o&&o._$AB.nextSibling,s),n.length=s)}_$AR(t=this._$AA.nextSibling,n){for(this._$AP?.(!1,!0,n);t!==this._$AB;){let o=ot(t).nextSibling;ot(t).remove(),t=o}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}},j=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,n,o,s,r){this.type=1,this._$AH=f,this._$AN=void 0,this.element=t,this.name=n,this._$AM=s,this.options=r,o.length>2||o[0]!==""||o[1]!==""?(this._$AH=Array(o.length-1).fill(new String),this.strings=o):this._$AH=f}_$AI(t,n=this,o,s){let r=this.strings,a=!1;if(r===void 0)t=V(this,t,n,0),a=!re(t)||t!==this._$AH&&t!==W,a&&(this._$AH=t);else{let l=t,i,u;for(t=r[0],i=0;i<r.length-1;i++)u=V(this,l[o+i],n,i),u===W&&(u=this._$AH[i]),a||=!re(u)||u!==this._$AH[i],u===f?t=f:t!==f&&(t+=(u??"")+r[i+1]),this._$AH[i]=u}a&&!s&&this.j(t)}j(t){t===f?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}},be=class extends j{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===f?void 0:t}},he=class extends j{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==f)}},$e=class extends j{constructor(t,n,o,s,r){super(t,n,o,s,r),this.type=5}_$AI(t,n=this){if((t=V(this,t,n,0)??f)===W)return;let o=this._$AH,s=t===f&&o!==f||t.capture!==o.capture||t.once!==o.once||t.passive!==o.passive,r=t!==f&&(o===f||s);s&&this.element.removeEventListener(this.name,this,o),r&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}},ve=class{constructor(t,n,o){this.element=t,this.type=6,this._$AN=void 0,this._$AM=n,this.options=o}get _$AU(){return this._$AM._$AU}_$AI(t){V(this,t)}},gt={M:We,P:O,A:Ve,C:1,L:mt,R:fe,D:dt,V,I:Y,H:j,N:he,U:$e,B:be,F:ve},kn=Fe.litHtmlPolyfillSupport;kn?.(ae,Y),(Fe.litHtmlVersions??=[]).push("3.3.3");var _=(e,t,n)=>{let o=n?.renderBefore??t,s=o._$litPart$;if(s===void 0){let r=n?.renderBefore??null;o._$litPart$=s=new Y(t.insertBefore(se(),r),r,void 0,n??{})}return s._$AI(e),s};var _n=1500;function D(e,t="",n="Copy"){return p`<button
    type="button"
    class="nbagent-button nbagent-copy"
    aria-label=${t||f}
    .textContent=${n}
    @click=${s=>{Cn(s.currentTarget,e,n)}}
  ></button>`}async function Cn(e,t,n="Copy"){let o=!0;try{await navigator.clipboard.writeText(t)}catch{o=!1}e.textContent=o?"Copied":"Select it",setTimeout(()=>{e.textContent=n},_n)}var ft=new WeakSet;function ye(e){ft.has(e)||(ft.add(e),new ResizeObserver(()=>ye(e)).observe(e)),e.scrollHeight>e.clientHeight+1||e.scrollWidth>e.clientWidth+1?e.tabIndex=0:e.removeAttribute("tabindex")}function we(e){let t=document.createElement("style");return/^[\w-]+$/.test(e??"")&&(t.textContent=`.${e}, .jp-OutputArea-child:has(.${e}) { display: none !important; }`),document.head.append(t),()=>t.remove()}async function E(e,t,n,o={}){let s=globalThis.crypto?.randomUUID?.()??`${Date.now()}-${Math.random()}`,r={...o,command:t,run_id:n,command_id:s};if(await Sn(e,r))return"control";try{return e.send(r),"comm"}catch{return"none"}}async function bt(e){return(await e.widget_manager)?.kernel}async function Sn(e,t){try{let n=await bt(e);if(typeof n?.sendControlMessage!="function")return!1;let s={channel:"control",header:{msg_id:t.command_id,msg_type:"nbagent_request",session:n.clientId??"",username:n.username??"",date:new Date().toISOString(),version:"5.3"},parent_header:{},metadata:{},content:t,buffers:[]},r=n.sendControlMessage(s,!0,!0);r.done?.catch?.(()=>{});let a=new Promise(i=>{r.onReply=u=>i(u.content?.status==="ok"&&u.content.heard===!0)}),l=new Promise(i=>setTimeout(i,1500,!1));return await Promise.race([a,l])}catch{return!1}}async function ht(e,t){e.on("comm_live_update",t);try{let n=await bt(e),o=new Set(["restarting","autorestarting","terminating","dead"]);n?.statusChanged?.connect((s,r)=>{o.has(r)&&t()}),n?.disposed?.connect(t)}catch{}}var Rn=new Intl.NumberFormat("en-US"),Mn=new Intl.NumberFormat("en-US",{notation:"compact",maximumFractionDigits:1}),x=e=>Rn.format(e),xe=e=>Mn.format(e),U=(e,t)=>`${x(e)} ${t}${e===1?"":"s"}`;function G(e){let t=Math.max(0,Math.floor(e/1e3));if(t<60)return`${t} s`;let n=Math.floor(t/60)%60,o=Math.floor(t/3600),s=r=>String(r).padStart(2,"0");return o?`${o} h ${s(n)} min`:`${n} min ${s(t%60)} s`}var $t=e=>e<1e4?`${(Math.max(0,e)/1e3).toFixed(1)} s`:G(e);function vt(e,t){let n=new Date(e);if(n.toDateString()===new Date(t).toDateString())return n.toLocaleTimeString("en-GB");let o=n.getFullYear()===new Date(t).getFullYear(),s={day:"numeric",month:"short"};return n.toLocaleDateString("en-GB",o?s:{...s,year:"numeric"})}function Te(e){return e===0?"$0":e>=.1?`$${e.toLocaleString("en-US",{minimumFractionDigits:2,maximumFractionDigits:2})}`:`$${Number(e.toPrecision(2))}`}var yt=e=>e>=1?`${xe(e)}/s`:`${xe(60*e)}/min`;var En=new Set(["completed","error","cancelled","timeout","interrupted","incomplete"]),On=new Set(["error","timeout","interrupted"]),A=e=>En.has(e),J=e=>On.has(e);var ke="nbagent-notify",Nn=1e4,Dn=800,Ge=3,wt=()=>typeof Notification=="function"&&Notification.permission!=="denied"&&!!navigator.locks;function ze(){try{return wt()&&Notification.permission==="granted"&&localStorage.getItem(ke)==="on"}catch{return!1}}async function Hn(){let e=!ze()&&await Notification.requestPermission()==="granted";try{localStorage.setItem(ke,e?"on":"off")}catch{return}for(let t of document.querySelectorAll(".nbagent-bell"))t.setAttribute("aria-pressed",String(e))}function _e(){return wt()?p`<button
    type="button"
    class="nbagent-button nbagent-bell"
    title="Notify me when a run ends or waits for me"
    aria-label="Notify me when a run ends or waits for me"
    aria-pressed=${ze()}
    @click=${()=>{Hn()}}
  ></button>`:f}function ie(e,t){return e===void 0||e===t||A(e)?null:t==="paused"?"waits":A(t)?"ended":null}function Ln(e){let t=e.filter(a=>a.status==="paused").length,[n]=e;if(n&&e.length===1)return[t?`${n.title} waits for you`:`${n.title}: ${n.status}`,"nbagent"];let o=e.slice(0,Ge).map(a=>`${a.title}: ${a.status==="paused"?"waits for you":a.status}`);e.length>Ge&&o.push(`and ${e.length-Ge} more`);let s=e.length-t;return[[t?`${U(t,"run")} ${t===1?"waits":"wait"} for you`:"",s?`${U(s,"run")} ended`:""].filter(Boolean).join(", "),o.join(`
`)]}var Ae=[];function le(e,t,n){ze()&&navigator.locks.request(`${ke} ${e} ${t}`,{ifAvailable:!0},async o=>{o&&(Ae.push(n),Ae.length===1&&setTimeout(In,Dn),await new Promise(s=>setTimeout(s,Nn)))})}function In(){let[e,t]=Ln(Ae);Ae=[];let n=new Notification(e,{body:t,tag:`${ke} ${e}`});n.onclick=()=>window.focus()}var z=class{constructor(t,n=()=>performance.now()){this.askWhole=t;this.now=n}askWhole;now;#e=-1;#t=-1/0;get seq(){return this.#e}restart(t){this.#e=t}accept(t){return typeof t!="number"||t<=this.#e?!1:t!==this.#e+1?(this.resync(),!1):(this.#e=t,!0)}resync(){this.now()-this.#t<1e3||(this.#t=this.now(),this.askWhole())}};var xt={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},Ce=e=>(...t)=>({_$litDirective$:e,values:t}),X=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,n,o){this._$Ct=t,this._$AM=n,this._$Ci=o}_$AS(t,n){return this.update(t,n)}update(t,n){return this.render(...n)}};var{I:Pn}=gt,Tt=e=>e;var At=()=>document.createComment(""),Q=(e,t,n)=>{let o=e._$AA.parentNode,s=t===void 0?e._$AB:t._$AA;if(n===void 0){let r=o.insertBefore(At(),s),a=o.insertBefore(At(),s);n=new Pn(r,a,e,e.options)}else{let r=n._$AB.nextSibling,a=n._$AM,l=a!==e;if(l){let i;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(i=e._$AU)!==a._$AU&&n._$AP(i)}if(r!==s||l){let i=n._$AA;for(;i!==r;){let u=Tt(i).nextSibling;Tt(o).insertBefore(i,s),i=u}}}return n},H=(e,t,n=e)=>(e._$AI(t,n),e),Bn={},Se=(e,t=Bn)=>e._$AH=t,kt=e=>e._$AH,Re=e=>{e._$AR(),e._$AA.remove()};var _t=(e,t,n)=>{let o=new Map;for(let s=t;s<=n;s++)o.set(e[s],s);return o},Me=Ce(class extends X{constructor(e){if(super(e),e.type!==xt.CHILD)throw Error("repeat() can only be used in text expressions")}dt(e,t,n){let o;n===void 0?n=t:t!==void 0&&(o=t);let s=[],r=[],a=0;for(let l of e)s[a]=o?o(l,a):a,r[a]=n(l,a),a++;return{values:r,keys:s}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,o]){let s=kt(e),{values:r,keys:a}=this.dt(t,n,o);if(!Array.isArray(s))return this.ut=a,r;let l=this.ut??=[],i=[],u,c,d=0,m=s.length-1,g=0,$=r.length-1;for(;d<=m&&g<=$;)if(s[d]===null)d++;else if(s[m]===null)m--;else if(l[d]===a[g])i[g]=H(s[d],r[g]),d++,g++;else if(l[m]===a[$])i[$]=H(s[m],r[$]),m--,$--;else if(l[d]===a[$])i[$]=H(s[d],r[$]),Q(e,i[$+1],s[d]),d++,$--;else if(l[m]===a[g])i[g]=H(s[m],r[g]),Q(e,s[d],s[m]),m--,g++;else if(u===void 0&&(u=_t(a,g,$),c=_t(l,d,m)),u.has(l[d]))if(u.has(l[m])){let h=c.get(a[g]),y=h!==void 0?s[h]:null;if(y===null){let T=Q(e,s[d]);H(T,r[g]),i[g]=T}else i[g]=H(y,r[g]),Q(e,s[d],y),s[h]=null;g++}else Re(s[m]),m--;else Re(s[d]),d++;for(;g<=$;){let h=Q(e,i[$+1]);H(h,r[g]),i[g++]=h}for(;d<=m;){let h=s[d++];h!==null&&Re(h)}return this.ut=a,Se(e,i),W}});var Ct={approve:"Approve",deny:"Deny"},Fn={approve:"approving…",deny:"denying…",gone:"kernel is gone"};function St(e,t,n){return p`<div class="nbagent-approvals" ?hidden=${!e.length}>
    ${Me(e,Ee,o=>{let s=t.get(Ee(o)),r=a=>p`<button
          type="button"
          class=${`nbagent-button nbagent-${a}`}
          aria-label=${`${Ct[a]} ${o.by?`for ${o.by}: `:""}${o.call}`}
          aria-disabled=${s!==void 0}
          @click=${()=>n(o,a)}
        >${Ct[a]}</button>`;return p`<div class="nbagent-approval">
        <div class="nbagent-asking">
          <span class="nbagent-by" ?hidden=${!o.by}>${o.by}</span><code class="nbagent-asked">${o.call}</code>
        </div>
        <div class="nbagent-choice">
          ${r("approve")}${r("deny")}<span class="nbagent-said">${s?Fn[s]:""}</span>
        </div>
      </div>`})}
  </div>`}var Rt=Ce(class extends X{constructor(){super(...arguments),this.key=f}render(e,t){return this.key=e,t}update(e,[t,n]){return t!==this.key&&(Se(e),this.key=t),n}});var Wn=[["table","Table"],["tree","Tree"]],Vn=3,jn=20;function Mt(e,t,n){let o=t??e.form;return p`<div class="nbagent-structured" ?hidden=${!e.form}>
    <div class="nbagent-forms" role="group" aria-label="show the answer as" ?hidden=${!e.table||!e.tree}>
      ${Wn.map(([s,r])=>p`<button type="button" class="nbagent-group" aria-pressed=${s===o} @click=${()=>n(s)}>${r}</button>`)}
    </div>
    <div class="nbagent-form" role="region" aria-label="structured answer">
      ${o==="tree"&&e.tree?Et(e.tree.kids??[],1):e.table?Un(e.table):f}
    </div>
    <p class="nbagent-more" ?hidden=${o==="tree"||!e.more}>${e.more}</p>
  </div>`}function Un({columns:e,numeric:t,cells:n}){let o=s=>t[s]?"nbagent-number":"";return p`<table>
    <thead>
      <tr>${e.map((s,r)=>p`<th scope="col" class=${o(r)}>${s}</th>`)}</tr>
    </thead>
    <tbody>
      ${n.map(s=>p`<tr>${s.map((r,a)=>p`<td class=${o(a)}>${r}</td>`)}</tr>`)}
    </tbody>
  </table>`}function Et(e,t){return p`<ul class="nbagent-tree">
    ${e.map(({name:n,kind:o,text:s,note:r,kids:a})=>{if(!a){let i=n?p`<span class="nbagent-key">${n}</span>`:f;return p`<li class="nbagent-leaf-line">${i}<span class="nbagent-leaf" data-kind=${o}>${s}</span></li>`}let l=t<Vn&&a.length<=jn;return Rt(`${n} ${a.length}`,p`<li>
          <details ?open=${l}>
            <summary><span class="nbagent-key">${n}</span><span class="nbagent-note">${r}</span></summary>
            ${Et(a,t+1)}
          </details>
        </li>`)})}
  </ul>`}var Gn=32,zn={ready:"Cancel",heard:"cancelling…",waiting:"waits for the kernel",gone:"kernel is gone"};function Ot(e,t,n){let o=document.createTextNode(""),s=document.createElement("div");s.className="nbagent-answer",s.setAttribute("role","region"),s.setAttribute("aria-label","answer"),s.append(o);let r=null,a=null;e.classList.add("nbagent");let l=d=>{r=d,a=null,i()},i=()=>{let d=e.querySelector(".nbagent-card"),m=d?.contains(document.activeElement)?document.activeElement:null;if(_(Kn(t,s,r,n,l),e),m&&(!m.isConnected||m.hidden)&&d?.focus({preventScroll:!0}),a!==t.row){a=t.row;for(let $ of e.querySelectorAll(".nbagent-prose, .nbagent-form"))ye($)}},u=d=>{let m=s.scrollHeight-s.scrollTop-s.clientHeight<Gn;d===null||o.length+d.length!==t.text.length?o.data=t.text:d&&o.appendData(d),s.hidden=!t.text||!!t.row.html,m&&!t.row.final&&(s.scrollTop=s.scrollHeight),ye(s)},c=setInterval(()=>t.row.final||i(),1e3);return{update(d){i(),u(d)},end:()=>clearInterval(c)}}function Kn(e,t,n,o,s){let{row:r}=e;return p`<section class="nbagent-card" tabindex="-1" data-status=${r.status} aria-label=${`run ${r.title}`}>
    ${qn(e,o)}
    <p class="nbagent-banner" ?hidden=${!r.banner}>${r.banner}</p>
    <div class="nbagent-body">
      ${Yn(r.members)}
      <p class="nbagent-waiting" ?hidden=${!r.waiting}>${r.waiting}</p>
      ${St(r.approvals,e.decided,o.decide)} ${Mt(r,n,s)}
      <div
        class="nbagent-prose"
        role="region"
        aria-label="answer"
        ?hidden=${!r.html}
        .innerHTML=${r.html??""}
      ></div>
      ${r.form?f:t}
      <details class="nbagent-raw" ?hidden=${!r.form}>
        <summary>raw answer</summary>
        ${r.form?t:f}
      </details>
      ${Jn(r)}
      <div class="nbagent-error" ?hidden=${!r.error.some(Boolean)}>
        ${r.error.filter(Boolean).map((a,l)=>p`<p class=${l?"nbagent-todo":"nbagent-what"}>${a}</p>`)}
      </div>
    </div>
    ${Xn(r)}
  </section>`}function qn({row:e,cancel:t,beganAt:n},o){let s=e.began_ms===null?"":G(performance.now()-n),r=zn[t];return p`<header class="nbagent-head">
    <span class="nbagent-status" role="status" aria-live="polite"
      ><span class="nbagent-chip">${e.reason?`${e.status}: ${e.reason}`:e.status}</span></span
    >
    <div class="nbagent-names">
      <span class="nbagent-title">${e.title}</span
      ><span class="nbagent-origin">${[e.agent,e.model].filter(Boolean).join(" · ")}</span>
    </div>
    <span class="nbagent-elapsed">${e.final?e.took:s}</span>
    ${e.final?f:_e()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel"
      ?hidden=${e.final}
      aria-disabled=${t!=="ready"}
      aria-label=${t==="ready"?`Cancel ${e.title}`:r}
      @click=${o.cancel}
    >${r}</button>
  </header>`}function Yn(e){return p`<ul class="nbagent-members" aria-label="members" ?hidden=${!e.length}>
    ${e.map(t=>p`<li class="nbagent-member" data-status=${t.status} style=${`padding-inline-start: ${(t.depth-1)*1.5}em`}>
          <span class="nbagent-name">${t.name}</span><span class="nbagent-state">${t.status}</span
          ><span class="nbagent-value">${t.tokens}</span>
        </li>`)}
  </ul>`}function Jn(e){let t=[...e.calls.map(n=>["call",n]),...e.called?[["called",e.called]]:[],...e.retry?[["retry",e.retry]]:[],...e.notices.map(n=>["notice",n])];return p`<div class="nbagent-activity" ?hidden=${!t.length}>
    ${t.map(([n,o])=>p`<p class=${`nbagent-${n}`}>${o}</p>`)}
  </div>`}function Xn(e){return p`<footer class="nbagent-foot">
    <div class="nbagent-facts" ?hidden=${!e.facts.length}>
      ${e.facts.map(([t,n])=>p`<span class="nbagent-fact" title=${n==="?"?"the provider did not say":f}
            ><span class="nbagent-name">${t} </span><span class="nbagent-value">${n}</span></span
          >`)}
    </div>
    <div class="nbagent-access">
      <code class="nbagent-code">${e.code}</code>${D(e.code,`Copy ${e.code}`)}
    </div>
  </footer>`}var Ee=e=>`${e.run_id} ${e.step} ${e.tool_call_id}`,Qn={run_id:"",title:"",agent:"",model:"",banner:"",status:"pending",reason:"",final:!1,began_ms:null,waiting:"",approvals:[],calls:[],called:"",members:[],retry:"",notices:[],error:[],table:null,tree:null,more:"",form:"",html:null,took:"",facts:[],code:""};function Oe(){let e={row:Qn,text:"",beganAt:0,cancel:"ready",decided:new Map},t=new Set,n=new z(()=>{}),o=c=>t.forEach(d=>d.update(c)),s=c=>{e.beganAt=performance.now()-Math.max(0,c-(e.row.began_ms??c))},r=c=>{let d=e.row.run_id===c.run_id?e.row.status:void 0;e.row=c;let m=ie(d,c.status);m&&le(c.run_id,m,c)},a=c=>{c?.row&&(n.restart(c.seq),r(c.row),e.text=c.text,e.decided.clear(),s(c.now_ms),o(null))},l=c=>{n.accept(c?.seq)&&(c.row&&(r(c.row),s(c.now_ms)),e.text+=c.append,o(c.append))},i=async c=>{if(e.cancel!=="ready"||e.row.final)return;e.cancel="heard",o("");let d=await E(c,"cancel",e.row.run_id);d==="none"?e.cancel="gone":d==="comm"&&setTimeout(()=>{e.cancel==="heard"&&(e.cancel="waiting"),o("")},3e3),o("")},u=async(c,d,m)=>{let g=Ee(d);if(e.decided.has(g)||e.row.final)return;e.decided.set(g,m),o("");let $={tool_call_id:d.tool_call_id,step:d.step,card:e.row.run_id};await E(c,m,d.run_id,$)==="none"&&e.decided.set(g,"gone"),o("")};return{initialize(c){n=new z(()=>{E(c,"resend",e.row.run_id)}),a(c.get("card")),c.on("change:card",()=>a(c.get("card"))),c.on("msg:custom",l)},render(c,d){let m=Ot(d,e,{cancel:()=>{i(c)},decide:($,h)=>{u(c,$,h)}}),g=we(c.get("key"));return t.add(m),m.update(null),()=>{t.delete(m),m.end(),g()}}}}var Nt="application/vnd.jupyter.widget-view+json",Zn="nbagent-host",ce=new Map,qe=null;async function Ht(e){try{let n=(await e)?.context?.model?.cells;return n&&typeof n[Symbol.iterator]=="function"?n:null}catch{return null}}function Lt(e,t){let n=!1;for(let o of e)n=eo(o.outputs,t)||n;return n}function eo(e,t){let n=!1;for(let o=0;o<(e?.length??0);o+=1){let s=e?.get(o).toJSON().data,r=s?.["text/html"],a=Array.isArray(r)?r.join(""):String(r??"");if(!s?.[Nt]||!a.includes(t))continue;let{[Nt]:l,...i}=s;e?.set(o,{output_type:"display_data",data:i,metadata:{}}),n=!0}return n}function It(e,t){let n={draw:t,views:[]};return ce.set(e,n),qe??=new MutationObserver(Dt),qe.observe(document.body,{childList:!0,subtree:!0}),Dt(),()=>{ce.delete(e);for(let{el:o,end:s}of n.views)s(),o.remove();ce.size||qe?.disconnect()}}function Dt(){for(let e of document.getElementsByClassName(Zn)){let t=[...e.classList].find(n=>ce.has(n));t&&to(e,ce.get(t))}}function to(e,t){if(t.views.some(({el:o})=>o.parentNode===e))return;let n=t.views.find(({el:o})=>!o.isConnected);if(n)e.append(n.el);else{let o=document.createElement("div");n={el:o,end:()=>{}},t.views.push(n),e.append(o),n.end=t.draw(o)}e.closest(".jp-RenderedHTMLCommon")?.classList.remove("jp-RenderedHTMLCommon")}function Pt(e){let t=new Map,n=(l,i)=>(t.get(l)??[]).forEach(u=>u(i)),o=new Set,s=Oe(),r={get:l=>({card:a.card,key:""})[l],on:(l,i)=>{t.set(l,[...t.get(l)??[],i])},send:l=>e.send(l),get widget_manager(){return e.widget_manager}},a={card:null,details:null,hear(l){if("card"in l){let i=a.card===null;a.card=l.card,i?s.initialize(r):n("change:card")}else"details"in l?a.details=l.details:n("msg:custom",l);o.forEach(i=>i())},follow(l){return o.add(l),()=>{o.delete(l)}},renderCard:l=>s.render(r,l)};return a}var no=60*1e3,oo=3e3,Bt=(e,t,n="",o)=>({key:e,line:t,batchId:n,kids:t?null:[],sums:null,told:o,unfolded:!1});function Ne(e,t){let n=new Map;for(let[r,a]of e)n.set(r,Bt(r,a));let o=[],s=new Map;for(let r of n.values()){let a=r.line.row,l=a.parent===null?void 0:n.get(a.parent);if(l&&l!==r)(l.kids??=[]).push(r);else if(a.batch){let i=s.get(a.batch);i||(i=Bt(`batch ${a.batch}`,null,a.batch,t.get(a.batch)),s.set(a.batch,i),o.push(i)),i.kids?.push(r)}else o.push(r)}return o}var Wt=e=>({status:e.status,title:e.title,model:e.model,created:e.created_ms,began:e.began_ms,ended:e.ended_ms,tokens:e.tokens,cost:e.cost,priced:e.priced,of:0,open:0,waiting:+(e.status==="paused"),failed:0,cancelled:0,ends:[],rate:null,endless:!1});function N(e){return e.line&&!e.kids?Wt(e.line.row):e.sums??=so(e)}function so(e){let t=(e.kids??[]).map(N),n=e.line?Wt(e.line.row):null,o=n?[n,...t]:t,s=d=>o.map(m=>m[d]).filter(m=>m!==null),r=d=>{let m=s(d);return m.length?m.reduce((g,$)=>g+$,0):null},a=t.filter(d=>d.status==="cancelled").length,l=e.told?ao(e.told,a):null,i=l?l.open:t.filter(d=>!A(d.status)).length,u=o.map(d=>d.priced).filter(d=>d!==null),c=s("ended");return{status:n?n.status:ro(t,i,!!l?.cancelled),title:n?.title??t[0]?.title??"batch",model:n?.model??t[0]?.model??"",created:n?n.created:Ft(s("created")),began:n?n.began:Ft(s("began")),ended:n?n.ended:i?null:lo(c),tokens:r("tokens"),cost:r("cost"),priced:u.length?u.every(Boolean):null,of:t.length,open:i,waiting:o.reduce((d,m)=>d+m.waiting,0),failed:t.filter(d=>J(d.status)).length,cancelled:a,ends:c,rate:null,endless:!1,...l}}function ro(e,t,n){if(t)return"running";let o=new Set(e.map(s=>s.status));return n&&o.add("cancelled"),o.size===1?e[0]?.status??"incomplete":"incomplete"}function ao({total:e,done:t,failed:n,not_asked:o,rate:s,finished:r,tokens:a,cost:l},i){let u=t+n+o,c=r?0:Math.max(1,(e??u+1)-u),d=r?Math.min(n,i):0;return{of:u+c,open:c,failed:n-d,cancelled:d+o,rate:s,endless:e===null,...a===null?{}:{tokens:a},...l===null?{}:{cost:l}}}function io({began:e,ended:t,ends:n,of:o,rate:s},r){if(s!==null)return s;if(e===null||!n.length)return 0;if(t!==null)return t>e?1e3*o/(t-e):0;let a=Math.max(e,r-no),l=n.reduce((i,u)=>i+ +(u>=a),0);return r-a<1e3?0:1e3*l/(r-a)}function Vt(e,t){let n=e.of-e.open,o=io(e,t),s=e.open>0&&!e.endless;return[e.endless?x(n):e.open?`${x(n)} of ${x(e.of)}`:`all ${x(e.of)} ended`,e.waiting?`${x(e.waiting)} ${e.waiting===1?"waits":"wait"} for you`:"",e.failed?`${x(e.failed)} failed`:"",e.cancelled?`${x(e.cancelled)} cancelled`:"",s?`${x(e.open)} left`:"",o?yt(o):"",o&&s&&e.began!==null&&t-e.began>=oo?`${G(1e3*e.open/o)} to go`:""].filter(Boolean)}function Ye(e){for(let t of e)t.kids&&(t.sums=null,Ye(t.kids))}var Ft=e=>e.length?e.reduce((t,n)=>n<t?n:t):null,lo=e=>e.length?e.reduce((t,n)=>n>t?n:t):null;var jt={command:null,word:""},co=new Set(["error","timeout","interrupted"]),uo={cancel:"cancelling…",cancel_batch:"cancelling…",retry:"retrying…",retry_batch:"retrying…",resume:"resuming…",approve:"approving…",deny:"denying…"},Je=e=>e.line?e.key:e.batchId,De=e=>e==="cancel"||e==="cancel_batch";function K(e,t){if(t.gone)return jt;let n=t.asked.get(Je(e));if(n)return{command:null,word:n.how==="waiting"?"waiting…":uo[n.name]??"…"};let{status:o}=N(e);return A(o)?e.told?.failed?{command:"retry_batch",word:"Retry"}:!e.line||e.line.row.parent?jt:co.has(o)?{command:"resume",word:"Resume"}:{command:"retry",word:"Retry"}:{command:e.line?"cancel":"cancel_batch",word:"Cancel"}}function Gt(e,t){let{setup:n,steps:o,messages:s}=e,r=e.left?p`<p class="nbagent-more">${x(e.left)} earlier messages are in the store</p>`:f;return[n.instructions||n.tools.length||n.settings.length?Z("Setup",0,!1,po(n)):f,o.rows.length?Z("Steps",o.rows.length,!0,go(o.rows,t)):f,e.traceback?Z("Traceback",0,!1,q(e.traceback)):f,s.length?Z("Messages",s.length+e.left,!1,[r,s.map(bo)]):e.prompt?Z("Prompt",0,!1,q(e.prompt)):f,Z("About",0,!1,[zt(e.about),ho(e.code)])]}function Z(e,t,n,o){let s=t?p`<span class="nbagent-count"> ${x(t)}</span>`:f;return p`<details class="nbagent-section" data-name=${e} ?open=${n}>
    <summary>${e}${s}</summary>
    <div class="nbagent-section-body">${o}</div>
  </details>`}function po({instructions:e,tools:t,settings:n}){return[e?p`<p class="nbagent-label">System prompt</p>${q(e)}`:f,t.length?p`<p class="nbagent-label">Tools</p>`:f,p`${t.map(o=>p`<details class="nbagent-tool">
          <summary><code class="nbagent-tool-call">${o.name}</code><span class="nbagent-tool-note">${mo(o.description)}</span></summary>
          ${o.description.includes(`
`)?q(o.description):f}${q(o.parameters)}
        </details>`)}`,n.length?p`<p class="nbagent-label">Settings</p>${zt(n)}`:f]}var mo=e=>e.split(`
`,1)[0]??"",Ut=e=>[e.kind,e.depth,e.step,e.at_ms,e.name].join(" ");function go(e,{open:t,toggle:n,span:o}){return p`<ol class="nbagent-steps">
    ${Me(e,Ut,s=>{let r=Ut(s),a=`left: ${100*s.at_ms/o}%; width: ${Math.max(.6,100*s.ms/o)}%`,l=s.status==="completed"||s.kind==="pause"?"":`${s.status} · `,i=s.kind==="model"?`${s.step} · ${s.name}`:s.name;return p`<li class="nbagent-step" data-kind=${s.kind} data-status=${s.status} style=${`--nb-depth: ${s.depth}`}>
        <button type="button" class="nbagent-step-head" aria-expanded=${t.has(r)} @click=${()=>n(r)}>
          <span class="nbagent-step-name" title=${i}>${i}</span>
          <span class="nbagent-track" aria-hidden="true"><span class="nbagent-bar" style=${a}></span></span>
          <span class="nbagent-step-note">${l+s.note}</span>
        </button>
        ${t.has(r)?fo(s):f}
      </li>`})}
  </ol>`}function fo(e){let t=(n,o)=>{let s=o.filter(r=>r.text);return s.length?p`${s.map(({role:r,text:a})=>p`<p class="nbagent-label">${r===n?n:`${n}: ${r}`}</p>${q(a)}`)}`:f};return p`<div class="nbagent-step-body">
    ${e.about?p`<p class="nbagent-more">${e.about}</p>`:f} ${t("in",e.given)} ${t("out",e.came)}
  </div>`}function bo(e){return p`<div class="nbagent-message">
    <p class="nbagent-label">${[e.role,e.name].filter(Boolean).join(" · ")}</p>
    ${e.text?q(e.text):f}
    ${e.calls.map(t=>p`<p class="nbagent-call">calls ${t}</p>`)}
    ${e.files.map(t=>p`<p class="nbagent-more">${t}</p>`)}
  </div>`}function q(e){return p`<div class="nbagent-block">
    <pre class="nbagent-block-text" tabindex="0">${e}</pre>
    ${D(e)}
  </div>`}function zt(e){return p`<dl class="nbagent-pairs">${e.map(([t,n])=>p`<dt>${t}</dt><dd>${n}</dd>`)}</dl>`}function ho(e){return p`<p class="nbagent-access">
    <code class="nbagent-code">${e}</code>${D(e,`Copy ${e} from the list`)}
  </p>`}function Kt(e,t,n){let{run:o,close:s}=n,r=new Set,a=m=>{r.delete(m)||r.add(m),c()},l=document.createElement("article");l.className="nbagent-opened",l.setAttribute("aria-label","opened run"),l.addEventListener("keydown",m=>{m.key==="Escape"&&s()});let i=document.createElement("div");i.className="nbagent-opened-card";let u=null;e.append(l);let c=()=>{_($o(t,i,n,{open:r,toggle:a,span:n.span()}),l),o.card&&!u&&(u=o.renderCard(i))},d=o.follow(n.redraw);return c(),requestAnimationFrame(()=>l.scrollIntoView({block:"nearest",behavior:"auto"})),{update:c,end(){d(),u?.(),l.remove()}}}function $o(e,t,n,o){let{state:s,run:r,command:a,close:l}=n,i=s.rows.get(e),[u]=i?Ne(new Map([[e,i]]),new Map):[],{command:c,word:d}=u?.line?K(u,s):{command:null,word:""},m=d&&!De(c)&&d!=="cancelling…",g=s.gone?"It cannot be opened: the kernel is gone.":"Opening…";return p`<div class="nbagent-opened-bar">
      <p class="nbagent-opened-id">${i?i.row.prompt||i.row.title:e}</p>
      <button
        type="button"
        class="nbagent-button nbagent-again"
        ?hidden=${!m}
        aria-disabled=${!c}
        @click=${()=>c&&a(c,e)}
      >${d}</button>
      ${vo(r.details)}
      <button
        type="button"
        class="nbagent-button nbagent-compare"
        title="The next run that you open stands beside this one"
        aria-pressed=${n.comparing()}
        @click=${n.compare}
      >Compare</button>
      <button type="button" class="nbagent-button nbagent-shut" @click=${l}>Close</button>
    </div>
    <p class="nbagent-waiting" ?hidden=${r.card!==null}>${g}</p>
    ${t}
    <div class="nbagent-sections">${r.details?Gt(r.details,o):f}</div>`}function vo(e){if(!e)return f;let t=e.answer?D(e.answer,"","Copy answer"):f;return p`${t}${D(e.code,`Copy ${e.code}`,"Copy code")}`}var ee=e=>!!e[4]||J(e[2]),yo=([,e,t,,n,,o],s)=>[e,t,n,s,...o].join(`
`).toLowerCase();function qt(e,t,n){let o=t.text.toLowerCase().split(/\s+/).filter(Boolean);return[...e].filter(r=>{if(t.group!=="all"&&ee(r)!==(t.group==="failed"))return!1;if(!o.length)return!0;let a=yo(r,n(r));return o.every(l=>a.includes(l))}).sort((r,a)=>Number(ee(a))-Number(ee(r))||r[0]-a[0])}function Yt(e,t){return t.map((n,o)=>{let s=e.map(r=>r[6][o]).filter(r=>r!=null);return s.length>0&&s.every(r=>typeof r=="number")})}var de=30,Xt=10,Jt=6,wo=[["all","All rows"],["failed","Failed"],["answered","Answered"]];function Qt(e,t){let n={text:"",group:"all"},o=document.createElement("div");o.className="nbagent-items",o.hidden=!0;let s=[],r=[],a=[],l=0,i=g=>g[3]===null?"":e.rows.get(g[3])?.row.prompt??"",u=()=>{s=qt(e.items.values(),n,i),r=Yt(s.slice(0,200),e.fields)},c=()=>{u();let g=o.querySelector(".nbagent-items-home");g&&(g.scrollTop=0),d()},d=()=>{l=0;let $=o.querySelector(".nbagent-items-home")?.scrollTop??0,h=Math.max(0,Math.floor($/de)-Jt),y=h+Xt+2*Jt;_(xo({state:e,want:n,found:s,numeric:r,opened:a,first:h,last:y,promptOf:i,refind:c,paintSoon:m,on:t}),o)},m=()=>{l||=requestAnimationFrame(d)};return{el:o,draw(g){a=g,o.hidden=!e.items.size,!o.hidden&&(u(),d())}}}function xo(e){let{state:t,found:n,numeric:o,first:s,last:r}=e,a=t.ended-t.items.size,l=`minmax(60px, 0.7fr) minmax(80px, 1.6fr) ${"minmax(60px, 1fr) ".repeat(Math.max(1,t.fields.length))}`,i=Math.min(Xt,Math.max(1,n.length))*de+de+2;return p`${To(t.counts)} ${Ao(e)}
    <div
      class="nbagent-items-home"
      role="table"
      aria-label="rows of the batch"
      aria-rowcount=${n.length+1}
      tabindex="0"
      style=${`height: ${i}px; --nb-columns: ${l}`}
      @scroll=${e.paintSoon}
    >
      <div role="rowgroup" class="nbagent-items-head">
        <div class="nbagent-item" role="row">
          <div class="nbagent-cell" role="columnheader">Row</div>
          <div class="nbagent-cell nbagent-item-prompt" role="columnheader">Prompt</div>
          ${t.fields.map((u,c)=>p`<div class=${`nbagent-cell ${o[c]?"nbagent-number":""}`} role="columnheader">${u}</div>`)}
          ${t.fields.length?f:p`<div class="nbagent-cell" role="columnheader">Answer</div>`}
        </div>
      </div>
      <div role="rowgroup" class="nbagent-items-rows" style=${`height: ${n.length*de}px`}>
        ${n.slice(s,r).map((u,c)=>_o(u,s+c,e))}
      </div>
    </div>
    ${n.length?f:p`<p class="nbagent-more">No row matches.</p>`}
    ${a>0?p`<p class="nbagent-more">${x(t.items.size)} of ${x(t.ended)} rows are listed; to_frame() has all</p>`:f}`}function To(e){return e.length?p`<div class="nbagent-counts">
    ${e.map(([t,n])=>{let o=Math.max(...n.map(([,s])=>s));return p`<div class="nbagent-kinds" role="list" aria-label=${`answers by ${t}`}>
        <p class="nbagent-label" aria-hidden="true">${t}</p>
        ${n.map(([s,r])=>p`<div class="nbagent-kind" role="listitem">
              <span class="nbagent-kind-name" title=${s}>${s||"(empty)"}</span
              ><span class="nbagent-kind-track" aria-hidden="true"
                ><span class="nbagent-kind-bar" style=${`width: ${100*r/o}%`}></span></span
              ><span class="nbagent-kind-count">${x(r)}</span>
            </div>`)}
      </div>`})}
  </div>`:f}function Ao({state:e,want:t,refind:n,on:o}){let s=[...e.items.values()].filter(ee).length,r={all:e.items.size,failed:s,answered:e.items.size-s},a=l=>{t.group=l,n()};return p`<div class="nbagent-filters" role="search">
    <div class="nbagent-groups" role="group" aria-label="Rows">
      ${wo.map(([l,i])=>p`<button type="button" class="nbagent-group" aria-pressed=${t.group===l} @click=${()=>a(l)}>${i}<span class="nbagent-count"> ${x(r[l])}</span></button>`)}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search rows"
      spellcheck="false"
      aria-label="Search rows by text"
      .value=${t.text}
      @input=${l=>{t.text=l.target.value,n()}}
    />
    ${ko(e,s,o)}
  </div>`}function ko(e,t,n){let o=e.only??"";if(!t||e.gone||!e.batches.get(o)?.finished)return f;let s=e.asked.has(o);return p`<button
    type="button"
    class="nbagent-button"
    aria-disabled=${s}
    @click=${()=>n.command("retry_batch",o)}
  >${s?"retrying…":`Retry ${x(t)} failed`}</button>`}function _o(e,t,{state:n,numeric:o,opened:s,promptOf:r,on:a}){let[,l,i,u,c,d,m]=e,g=u!==null&&n.rows.has(u)?p`<button type="button" class="nbagent-link" aria-expanded=${s.includes(u)} @click=${()=>a.openRun(u)}>${l}</button>`:l,$=ee(e),h=$||!n.fields.length;return p`<div
    class="nbagent-item"
    role="row"
    aria-rowindex=${t+2}
    data-status=${$?"error":i}
    style=${`transform: translateY(${t*de}px)`}
  >
    <div class="nbagent-cell" role="cell"><span class="nbagent-chip" title=${i}></span>${g}</div>
    <div class="nbagent-cell nbagent-item-prompt" role="cell">${r(e)||(d?"from an earlier run":"")}</div>
    ${h?p`<div class="nbagent-cell nbagent-item-error" role="cell" title=${c}>${c||i}</div>`:n.fields.map((y,T)=>p`<div class=${`nbagent-cell ${o[T]?"nbagent-number":""}`} role="cell">${m[T]??""}</div>`)}
  </div>`}var en={status:e=>e.status,title:e=>e.title.toLowerCase(),model:e=>e.model.toLowerCase(),tokens:e=>e.tokens,cost:e=>e.cost,time:(e,t)=>e.began===null?null:(e.ended??t)-e.began,created:e=>e.created},tn=e=>e in en;function nn(e){if(e.hay===null){let{title:t,agent:n,model:o,session:s,id:r,prompt:a,says:l,error:i,batch:u}=e.row;e.hay=[t,n,o,s??"",r,a,l,i,u??""].join(`
`).toLowerCase()}return e.hay}var Zt=(e,t=0)=>t||e==="paused"?0:e==="running"?1:e==="pending"?2:3;function Co(e,t,n){if(!t&&e.line&&!e.kids){let{status:r,created_ms:a}=e.line.row;return{node:e,value:null,first:Zt(r),created:a??0}}let o=N(e),s=t?en[t.by](o,n):null;return{node:e,value:s,first:Zt(o.status,o.waiting),created:o.created??0}}function So(e,t,n){let o=e.map(r=>Co(r,t,n)),s=(r,a)=>a.created-r.created||(r.node.key<a.node.key?1:-1);return o.sort((r,a)=>t?r.value===null||a.value===null?+(r.value===null)-+(a.value===null)||s(r,a):r.value===a.value?s(r,a):(r.value<a.value?-1:1)*(t.down?-1:1):r.first-a.first||s(r,a)),o.map(r=>r.node)}var on={self:!0,kids:new Map};function sn(e,t){let n=e.line?t.test(e.line):!1;if(!e.kids)return n?on:null;let o=rn(e.kids,t);return n||o.size?{self:n,kids:o}:null}function rn(e,t){let n=new Map;for(let o of e){let s=sn(o,t);s&&n.set(o,s)}return n}function an(e,t,n,o,s){let r=[],a=(l,i,u)=>{for(let c of So([...l.keys()],u,s)){let d=l.get(c);if(r.push({node:c,depth:i}),c.unfolded=o.get(c.key)??(t.narrow&&!d.self&&d.kids.size>0),!c.unfolded||!c.kids)continue;let g=d.self&&c.line?new Map(c.kids.map($=>[$,sn($,t)??on])):d.kids;a(g,i+1,u??(c.line?{by:"created",down:!1}:null))}};return a(rn(e,t),0,n),r}var He=[["all","All",()=>!0],["waiting","Waiting",e=>e==="paused"],["running","Running",e=>!A(e)],["completed","Completed",e=>e==="completed"],["failed","Failed",J],["cancelled","Cancelled",e=>e==="cancelled"]],Le=["agent","model","session"],Xe={text:"",group:"all",agent:"",model:"",session:""};function Qe(e){let t=e.text.toLowerCase().split(/\s+/).filter(Boolean),n=He.find(([o])=>o===e.group)?.[2]??(()=>!0);return{narrow:!!(t.length||e.agent||e.model||e.session||e.group!=="all"),test(o){let{row:s}=o;if(!n(s.status))return!1;for(let r of Le)if(e[r]&&s[r]!==e[r])return!1;return!t.length||t.every(r=>nn(o).includes(r))}}}function ln(e,t){let n={runs:0,running:0,tokens:null,cost:null,priced:0,called:0,counts:{all:0,waiting:0,running:0,completed:0,failed:0,cancelled:0}};for(let o of e){let{row:s}=o;for(let[r,,a]of He)a(s.status)&&(n.counts[r]+=1);t.test(o)&&(n.runs+=1,A(s.status)||(n.running+=1),s.tokens!==null&&(n.tokens=(n.tokens??0)+s.tokens),s.priced!==null&&(n.called+=1),s.cost!==null&&(n.cost=(n.cost??0)+s.cost,n.priced+=1))}return n}var Ro=200;function cn(e,t,n){let o=new Map;for(let{row:a}of e){let l=a[t];l&&o.set(l,(o.get(l)??0)+1)}let r=[...o].filter(([,a])=>t!=="session"||a>1).slice(0,Ro).map(([a])=>a).sort();return n&&!r.includes(n)&&r.push(n),r}var Mo=["This panel’s kernel is gone; what it showed last is below.","Run the cell again for a live one."];function dn(e,t,n){let o=document.createElement("div");o.className="nbagent-bars";let s=null,r=!1,a={agent:[],model:[],session:[]};return{el:o,sum(i){s=ln(e.rows.values(),i),r=i.narrow},choose(){a={agent:[],model:[],session:[]};for(let i of Le)a[i]=cn(e.rows.values(),i,t[i])},draw:()=>{let i=s?.counts.running??0;_(p`${Oo(e,t,s,r,i,n)}${Do(e)}${Ho(e,t,s,a,n)}`,o),o.parentElement?.toggleAttribute("data-gone",e.gone)}}}function Eo(e,t,n){let o=t.group==="waiting";if(!e&&!o)return f;let s=()=>{t.group=o?"all":"waiting",n.refilter()},r=e===1?"1 waits for you":e?`${x(e)} wait for you`:"none waits";return p`<button type="button" class="nbagent-button nbagent-waits" aria-pressed=${o} @click=${s}>${r}</button>`}function Oo(e,t,n,o,s,r){let a=e.asked.has(""),l=s>0&&!e.gone&&e.only===null,i=a?"cancelling…":s>1?`Cancel all ${x(s)}`:"Cancel it";return p`<div class="nbagent-panel-head">
    ${Eo(n?.counts.waiting??0,t,r)}
    <p class="nbagent-totals" role="status">${n?No(e,n,o):"nbagent"}</p>
    ${e.gone?f:_e()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel-all"
      ?hidden=${!l}
      aria-disabled=${a}
      @click=${()=>r.command("cancel_all","")}
    >${i}</button>
  </div>`}function No(e,t,n){if(!e.rows.size)return"nbagent";let o=n?e.rows.size:Math.max(e.total,e.rows.size);return[t.running?`${x(t.running)} running`:"",t.runs<o?`${x(t.runs)} of ${x(o)} runs`:U(o,"run"),t.tokens===null?"":`${xe(t.tokens)} tokens`,t.cost===null?"":Te(t.cost),t.priced<t.called?`cost known for ${x(t.priced)} of ${x(t.called)}`:""].filter(Boolean).join(" · ")}function Do(e){let t=[...e.gone?[Mo]:[],...e.trouble.length&&!e.gone?[e.trouble]:[],...e.said];return p`<div class="nbagent-trouble" role="alert" ?hidden=${!t.length}>
    ${t.map(([n,o])=>p`<div class="nbagent-one-trouble"><p class="nbagent-what">${n}</p><p class="nbagent-todo">${o}</p></div>`)}
  </div>`}function Ho(e,t,n,o,s){let r=(a,l)=>{t[a]=l,s.refilter()};return p`<div class="nbagent-filters" role="search" ?hidden=${!e.rows.size||e.only!==null}>
    <div class="nbagent-groups" role="group" aria-label="Status">
      ${He.map(([a,l])=>p`<button
            type="button"
            class="nbagent-group"
            aria-pressed=${t.group===a}
            @click=${()=>r("group",a)}
          >${l}<span class="nbagent-count"> ${x(n?.counts[a]??0)}</span></button>`)}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search runs"
      spellcheck="false"
      aria-label="Search runs by text"
      .value=${t.text}
      @input=${a=>r("text",a.target.value)}
    />
    ${Le.map(a=>p`<select
          class="nbagent-select"
          aria-label=${`Filter by ${a}`}
          ?hidden=${o[a].length<2&&!t[a]}
          @change=${l=>r(a,l.target.value)}
        >
          <option value="" ?selected=${!t[a]} .selected=${!t[a]}>Any ${a}</option>
          ${o[a].map(l=>p`<option value=${l} .selected=${l===t[a]}>${l}</option>`)}
          ${f}
        </select>`)}
  </div>`}var un=[["status","Status"],["title","Run"],["model","Model"],["says","Answer"],["tokens","Tokens"],["cost","Cost"],["time","Time"],["created","Launched"],["action",""]];function pn({node:e,depth:t},n,o,s){let{seen:r,state:a,now:l}=s,i=N(e),u=e.line?.row??null,c=K(e,a),d=A(i.status)?"?":"",m=e.kids?u?`+${e.kids.length}`:`× ${x(i.of)}`:"",g=i.cost===null?d:`${i.priced?"":"≥ "}${Te(i.cost)}`;return p`<div
    class="nbagent-line"
    role="row"
    id=${n}
    style=${`transform: translateY(${o*L}px); --nb-depth: ${t}`}
    data-key=${e.key}
    data-status=${i.status}
    data-offer=${`${e.key} ${c.command}`}
    aria-rowindex=${o+2}
    aria-level=${t+1}
    aria-selected=${r.open.includes(e.key)}
    aria-expanded=${e.kids?e.unfolded:f}
    ?data-active=${r.active===e.key}
    ?data-batch=${!u}
    ?data-asks=${!!u?.asks}
    ?data-waits=${i.waiting>0}
  >
    <div class="nbagent-cell nbagent-c-status" role="gridcell"
      ><span class="nbagent-chip">${u?.reason?`${i.status}: ${u.reason}`:i.status}</span></div
    >
    <div class="nbagent-cell nbagent-c-title" role="gridcell"
      ><span class="nbagent-twist" data-part="twist" aria-hidden="true" ?hidden=${!e.kids}></span
      ><span class="nbagent-title">${i.title}</span><span class="nbagent-kids">${m}</span></div
    >
    <div class="nbagent-cell nbagent-c-model" role="gridcell">${i.model}</div>
    ${u?.asks?Lo(u,u.asks,a):u?Io(u,i.waiting):Po(i,l)}
    <div class="nbagent-cell nbagent-c-tokens" role="gridcell">${i.tokens===null?d:x(i.tokens)}</div>
    <div class="nbagent-cell nbagent-c-cost" role="gridcell">${g}</div>
    <div class="nbagent-cell nbagent-c-time" role="gridcell">${Bo(i,l)}</div>
    <div class="nbagent-cell nbagent-c-created" role="gridcell">${i.created===null?"":vt(i.created,l)}</div>
    <div class="nbagent-cell nbagent-c-action" role="gridcell"
      ><button
        type="button"
        class="nbagent-button nbagent-act"
        tabindex="-1"
        data-part="action"
        data-command=${c.command??""}
        aria-disabled=${!c.command}
        aria-label=${`${c.word} ${i.title}`}
        ?hidden=${!c.word}
      >${c.word}</button></div
    >
  </div>`}function Lo(e,[t,n,o],s){let r=s.asked.has(e.id)||s.gone,a=(i,u)=>p`<button
      type="button"
      class=${`nbagent-button nbagent-act nbagent-${i}`}
      tabindex="-1"
      data-part=${i}
      aria-disabled=${r}
      aria-label=${`${u} ${n}`}
    >${u}</button>`,l=o===void 0?f:p`${a("approve","Approve")}${a("deny","Deny")}`;return p`<div class="nbagent-cell nbagent-c-says nbagent-asks" role="gridcell" ?data-one=${o!==void 0}
    ><code class="nbagent-asked-line" title=${n}>${n}</code>${l}<button
      type="button"
      class="nbagent-button nbagent-act nbagent-review"
      tabindex="-1"
      data-part="row"
      aria-label=${`Review ${e.title}`}
    >${t>1?`Review ${t}`:"Review"}</button></div
  >`}function Io(e,t){let n=t?`${U(t,"member")} ${t===1?"waits":"wait"} for you`:"",o=e.error||n||e.says;return p`<div
    class="nbagent-cell nbagent-c-says"
    role="gridcell"
    ?data-prompt=${!o}
    ?data-error=${!!e.error}
  >${o||e.prompt}</div>`}function Po(e,t){let n=Vt(e,t),o=e.of-e.open,s=[["completed",o-e.failed-e.cancelled],["failed",e.failed],["cancelled",e.cancelled]];return p`<div class="nbagent-cell nbagent-c-says" role="gridcell" title=${n.join(" · ")}
    ><div
      class="nbagent-progress"
      role="progressbar"
      aria-label=${`batch ${e.title}`}
      aria-valuemin="0"
      aria-valuemax=${e.of}
      aria-valuenow=${o}
      aria-valuetext=${n.join(", ")}
    >${s.map(([r,a])=>p`<div class=${`nbagent-progress-part nbagent-p-${r}`} style=${`width: ${100*a/e.of}%`}></div>`)}</div>${n.join(" · ")}</div
  >`}function Bo(e,t){return e.began===null?"":e.ended!==null?$t(e.ended-e.began):G(A(e.status)?0:t-e.began)}var L=34,Ie=12,Fo=6,mn=6,Wo=300,Vo=0;function fn(e){let t=`nbagent-grid-${Vo+=1}-${Math.random().toString(36).slice(2,8)}`,n=jo(),o=(c,d)=>{let m=document.createElement("div");return m.className=`nbagent-${c}`,d&&m.setAttribute("role",d),m},s=o("grid-head","rowgroup"),r=o("sizer","rowgroup"),a=o("empty",null);n.append(s,r,a),_(gn(e.sort,null),s);let l=new Ze(r),i=0,u=-1;return n.addEventListener("scroll",e.scroll,{passive:!0}),n.addEventListener("keydown",c=>{c.target===n&&e.key(c)}),r.addEventListener("click",c=>{let d=c.target,m=d.closest(".nbagent-line");if(!m)return;let g=d.closest("[data-part]")?.dataset.part??"row";g!=="row"&&g!=="twist"&&!l.meant(c,m)||g==="row"&&String(getSelection())||e.click(m.dataset.key??"",g)}),new ResizeObserver(e.scroll).observe(n),{el:n,showSort:c=>{_(gn(e.sort,c),s)},showEmpty(c,d){a.hidden=!c,s.hidden=r.hidden=!!c,_(c?Uo(c,d):f,a)},reveal(c){let d=s.offsetHeight,m=c*L;m<n.scrollTop?n.scrollTop=m:m+L+d>n.scrollTop+n.clientHeight&&(n.scrollTop=m+L+d-n.clientHeight)},paint(c,d){let{lines:m}=c,g=`${m.length*L}px`;r.style.height!==g&&(r.style.height=g);let $=Math.min(c.open.length?Fo:Ie,Math.max(1,m.length));$!==i&&n.style.setProperty("--nb-rows",String(i=$)),m.length!==u&&n.setAttribute("aria-rowcount",String((u=m.length)+1));let h=Math.max(0,Math.floor(n.scrollTop/L)-mn),y=Math.min(m.length,Math.ceil((n.scrollTop+n.clientHeight)/L)+mn),T=ue(d),C=m.slice(h,y);_(C.map((k,S)=>pn(k,`${t}-${S}`,h+S,{seen:c,state:d,now:T})),r),l.look();let R=C.findIndex(k=>k.node.key===c.active);R>=0?n.setAttribute("aria-activedescendant",`${t}-${R}`):n.removeAttribute("aria-activedescendant")}}}function jo(){let e=document.createElement("div");return e.className="nbagent-grid",e.tabIndex=0,e.setAttribute("role","treegrid"),e.setAttribute("aria-label","Runs"),e.setAttribute("aria-description","Enter opens a run, Right and Left unfold and fold, Delete cancels."),e}var Ze=class{constructor(t){this.home=t;t.addEventListener("pointerdown",n=>{let o=n.target.closest(".nbagent-line");this.#n=o&&!o.hasAttribute("data-moved")?o.dataset.offer??null:null})}home;#e=new WeakMap;#t=new WeakMap;#n=null;meant(t,n){return!t.detail||this.#n===n.dataset.offer}look(){for(let t of this.home.children){let n=t.dataset.offer??"",o=this.#e.get(t);this.#e.set(t,n),!(o===void 0||o===n)&&(t.setAttribute("data-moved",""),clearTimeout(this.#t.get(t)),this.#t.set(t,setTimeout(()=>t.removeAttribute("data-moved"),Wo)))}}};function gn(e,t){return p`<div class="nbagent-line" role="row">
    ${un.map(([n,o])=>{let s=t?.by===n?t.down?"descending":"ascending":f;return p`<div class=${`nbagent-cell nbagent-c-${n}`} role="columnheader" aria-sort=${s}>
        ${tn(n)?p`<button type="button" class="nbagent-sort" @click=${()=>e(n)}>${o}</button>`:o||p`<span class="nbagent-unseen">Action</span>`}
      </div>`})}
  </div>`}function Uo([e,t],n){let o=t==="clear"?p`<button type="button" class="nbagent-button" @click=${n}>Clear filters</button>`:t?p`<p class="nbagent-todo">Launch one from a cell:</p>
            <pre class="nbagent-sample">${t}</pre>`:f;return p`<p>${e}</p>
    ${o}`}var Go=new Set(["tokens","cost","time","created"]),zo={tokens:["tokens"],cost:["cost"],time:["began_ms","ended_ms"]},Ko=`%%agent_bg
What is the capital of France?`;function bn(e,t){let{state:n,command:o}=t,s={...Xe},r=new Map,a={sort:null,lines:[],active:null,open:[]},l=new Map,i=new Map,u=!1,c=null,d=0,m=document.createElement("section");m.className="nbagent-panel",m.setAttribute("aria-label","nbagent runs"),m.dataset.lmSuppressShortcuts="true";let g=dn(n,s,{refilter:k,command:o}),$=fn({sort:S,key:wn,click:et,scroll:ne}),h=document.createElement("div");h.className="nbagent-below";let y=Qt(n,{openRun:pe,command:o});m.append(g.el,$.el,y.el,h),e.classList.add("nbagent"),e.append(m);function T(){c??=Ne(n.rows,n.batches);let b=Qe(s);a.lines=an(c,b,a.sort,r,ue(n)),a.lines.some(v=>v.node.key===a.active)||(a.active=a.lines[0]?.node.key??null),g.sum(b),$.showEmpty(C(),R)}function C(){return a.lines.length?null:!n.loaded&&!n.trouble.length?["Reading the record…",""]:n.rows.size?["No run matches.","clear"]:n.trouble.length?["The record cannot be read now.",""]:n.only?["No row is asked yet.",""]:["No runs yet.",Ko]}function R(){Object.assign(s,Xe),k()}function k(){$.el.scrollTop=0,T(),g.draw(),ne()}function S(b){let v=Go.has(b);a.sort?.by!==b?a.sort={by:b,down:v}:a.sort=a.sort.down===v?{by:b,down:!v}:null,$.showSort(a.sort),T(),ne()}function M(b){let v=Math.max(0,Math.min(a.lines.length-1,b)),w=a.lines[v];w&&(a.active=w.node.key,$.reveal(v),te())}function Pe(b,v=!b.unfolded){b.kids&&(r.set(b.key,v),T(),te())}function pe(b){let[v]=a.open;a.open.includes(b)?a.open=a.open.filter(w=>w!==b):a.open=u&&v!==void 0?[v,b]:[b],u=!1;for(let[w,I]of l)a.open.includes(w)||(I.end(),l.delete(w));for(let w of a.open)l.has(w)||l.set(w,Kt(h,w,vn(w)));h.toggleAttribute("data-two",a.open.length>1),me(),y.draw(a.open),te()}function vn(b){let v=t.openRun(b);return i.set(b,v),{state:n,command:o,run:v,redraw:me,close(){pe(b),$.el.focus()},compare(){u=!u,me()},comparing:()=>u,span:()=>Math.max(1,...a.open.map(w=>i.get(w)?.details?.steps.span_ms??0))}}function me(){l.forEach(b=>b.update())}function et(b,v){let w=a.lines.find(I=>I.node.key===b)?.node;w&&(a.active=b,v==="action"?tt(w):v==="approve"||v==="deny"?yn(w,v):v==="twist"||!w.line?Pe(w):pe(b),te())}function yn(b,v){let[,,w,I]=b.line?.row.asks??[];w===void 0||I===void 0||o(v,b.key,{step:w,tool_call_id:I})}function tt(b){let{command:v}=K(b,n);v&&o(v,Je(b))}function wn(b){let v=a.lines.findIndex(w=>w.node.key===a.active);xn(b.key,v,a.lines[v]?.node)&&b.preventDefault()}function xn(b,v,w){let nt={ArrowDown:v+1,ArrowUp:v-1,PageDown:v+Ie-1,PageUp:v+1-Ie,Home:0,End:a.lines.length-1}[b];if(nt!==void 0)M(nt);else if(b==="ArrowRight"&&w?.kids)Pe(w,!0);else if(b==="ArrowLeft"&&w?.unfolded)Pe(w,!1);else if((b==="Enter"||b===" ")&&w)et(w.key,"row");else if(b==="Delete"&&w&&De(K(w,n).command))tt(w);else if(b==="Escape"&&a.open.length)pe(a.open.at(-1));else return!1;return!0}function te(){d=0,$.paint(a,n)}function ne(){d||=requestAnimationFrame(te)}let Tn=b=>s.text&&(b.has("says")||b.has("error"))?!0:!!(a.sort&&zo[a.sort.by]?.some(v=>b.has(v)));return{update(b){if(b==="time"){a.lines.some(({node:v})=>!A(N(v).status))&&ne();return}b==="all"?c=null:b!=="cells"&&Ye(c??[]),b==="all"||b!=="cells"&&Tn(b)?T():b!=="cells"&&g.sum(Qe(s)),b==="all"&&g.choose(),b==="all"&&y.draw(a.open),b==="cells"&&y.draw(a.open),g.draw(),me(),ne()},end(){cancelAnimationFrame(d),l.forEach(b=>b.end())}}}var qo=12e3,Yo=3e4,ue=e=>e.stoppedMs??Date.now()+e.skewMs;function hn(e){let t={rows:new Map,batches:new Map,total:0,loaded:!1,trouble:[],said:[],asked:new Map,only:null,items:new Map,fields:[],counts:[],ended:0,gone:!1,skewMs:0,stoppedMs:null},n=new Set,o=new Map,s=new z(()=>{E(e,"resend_table","")}),r=Jo(t),a=h=>{h==="all"&&r(),n.forEach(y=>y.update(h))},l=[],i=h=>{if(!h?.columns)return;l=h.columns;let y=JSON.parse(h.lines).map(M=>$n(l,M));t.rows=new Map(y.map(M=>[M.row.id,M])),t.batches=new Map(Object.entries(h.batches));let{total:T,loaded:C,trouble:R,only:k}=h;Object.assign(t,{total:T,loaded:C,trouble:R,only:k,gone:!1,stoppedMs:null}),t.skewMs=h.now_ms-Date.now();let{listed:S}=h;S&&(t.items=new Map(JSON.parse(S.items).map(M=>[M[0],M])),Object.assign(t,{fields:S.fields,counts:S.counts,ended:S.ended})),s.restart(h.seq),a("all")},u=h=>{if("run"in h)o.get(h.run)?.hear(h);else if("said"in h)c(h.said);else if(s.accept(h?.seq)){let y=Qo(t,l,h);y===null?s.resync():a(y)}},c=h=>{t.asked.delete(h.run_id);let{error:y}=h;y&&(t.said=[...t.said.slice(-2),y],setTimeout(()=>{t.said=t.said.filter(T=>T!==y),a("cells")},qo)),a("cells")},d=async(h,y,T={})=>{if(t.asked.has(y)||t.gone)return;let C={name:h,how:"heard"};t.asked.set(y,C),a("cells");let R=await E(e,h,y,T),k=(S,M)=>{setTimeout(()=>{t.asked.get(y)===C&&(S(),a("cells"))},M)};R==="none"&&m(),R==="comm"&&k(()=>C.how="waiting",3e3),k(()=>t.asked.delete(y),Yo),a("cells")},m=()=>{t.gone||(t.stoppedMs=ue(t),t.gone=!0,a("all"))};i(e.get("table")),e.on("change:table",()=>i(e.get("table"))),e.on("msg:custom",u),ht(e,m);let g=setInterval(()=>document.hidden||t.gone||a("time"),1e3),$=h=>{let y=o.get(h)??Pt(e);return o.set(h,y),t.gone||E(e,"open",h),y};return{end:()=>clearInterval(g),render(h){let y=bn(h,{state:t,openRun:$,command:(C,R,k)=>{d(C,R,k)}}),T=we(e.get("key"));return n.add(y),y.update("all"),()=>{n.delete(y),y.end(),T()}}}}function Jo(e){let t=new Map;return()=>{let n=new Map;for(let{row:o}of e.rows.values()){let s=ie(t.get(o.id),o.status);(s==="waits"||s&&!o.parent&&!o.batch)&&le(o.id,s,o),A(o.status)||n.set(o.id,o.status)}for(let[o,{finished:s}]of e.batches){let r=s?"completed":"running",a=ie(t.get(o),r);a&&le(o,a,{title:`batch ${Xo(e,o)}`,status:r}),s||n.set(o,r)}t=n}}function Xo(e,t){for(let{row:n}of e.rows.values())if(n.batch===t)return n.title;return""}function $n(e,t){let n={};for(let o=0;o<e.length;o+=1)n[e[o]]=t[o]??null;return{row:n,hay:null}}function Qo(e,t,n){e.skewMs=n.now_ms-Date.now();let{total:o,loaded:s,trouble:r}=n;o!==void 0&&(e.total=o),s!==void 0&&(e.loaded=s),r!==void 0&&(e.trouble=r);let l=Object.entries(n.batches??{}).some(([u,c])=>c.finished&&!e.batches.get(u)?.finished)||!!n.new||r!==void 0||s!==void 0;for(let[u,c]of Object.entries(n.batches??{})){let d=e.batches.get(u);d?Object.assign(d,c):(e.batches.set(u,c),l=!0),c.finished&&e.asked.delete(u)}for(let u of n.new??[])e.rows.set(String(u[0]),$n(t,u));for(let u of n.gone??[])l=e.rows.delete(u)||l;for(let u of n.items??[])e.items.set(u[0],u);n.items&&(l=!0);for(let u of["fields","counts","ended"])n[u]!==void 0&&Object.assign(e,{[u]:n[u]});let i=new Set;for(let u of n.cells??[])if(!Zo(e,t,u,i))return null;return l||i.has("status")||i.has("created_ms")?"all":i}function Zo(e,t,n,o){let[s,...r]=n,a=e.rows.get(s);if(!a)return!1;a.hay=null;let l=a.row;for(let i=0;i<r.length;i+=2){let u=t[Number(r[i])];u!==void 0&&(l[u]=r[i+1]??null,o.add(u),(u==="status"||u==="asks")&&e.asked.delete(s))}return!0}var es=()=>{let e=()=>()=>{};return{initialize({model:t}){let n=t,o=()=>{};if(t.get("shows")==="table"){let r=hn(n);[e,o]=[r.render,r.end]}else{let r=Oe();r.initialize(n),e=a=>r.render(n,a)}let s=It(t.get("host"),e);return()=>{s(),o()}},async render({model:t,el:n}){let o=t.get("host"),s=await Ht(t.widget_manager);if(!s||!Lt(s,o))return e(n);E(t,"hosted",o)}}},da=es;export{da as default};
/*! Bundled license information:

lit-html/lit-html.js:
lit-html/directive.js:
lit-html/directives/repeat.js:
  (**
   * @license
   * Copyright 2017 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directive-helpers.js:
  (**
   * @license
   * Copyright 2020 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directives/keyed.js:
  (**
   * @license
   * Copyright 2021 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)
*/
